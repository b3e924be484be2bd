import { VbsError } from '../errors.js';

/** One thing that is wrong with a configuration. */
export interface ConfigurationFault {
  /** The JSON pointer of the place (`/volumeServers/vs1/backends/fast/volumeGruop`); empty for the whole. */
  readonly path: string;
  readonly message: string;
}

const shownFaults = 50;

/** A JSON pointer (RFC 6901) one or more names further. */
export function pointer(path: string, ...names: readonly (string | number)[]): string {
  return path + names.map((name) => `/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** All faults as one CONFIG_INVALID; `context.faults` has every one. `source` says whose they are. */
export function configInvalid(source: string, faults: readonly ConfigurationFault[]): VbsError {
  const lines = faults.slice(0, shownFaults).map(({ path, message }) => (path === '' ? `- ${message}` : `- ${path}: ${message}`));
  if (faults.length > shownFaults) lines.push(`- and ${faults.length - shownFaults} more`);
  const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
  return new VbsError('CONFIG_INVALID', `${source} has ${count}:\n${lines.join('\n')}`, { context: { faults } });
}
