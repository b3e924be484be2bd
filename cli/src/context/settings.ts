import { resolve } from 'node:path';
import { defaultDataDirectory } from '../client/data-directory.js';
import { failure } from '../client/failure.js';

/** What every command takes, from its options and the environment. */
export interface Settings {
  readonly endpoint: string | undefined;
  /** A configuration file; `undefined`: the embedded default of the data directory. */
  readonly config: string | undefined;
  readonly dataDirectory: string;
  readonly output: 'table' | 'json';
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** The NBD port of the embedded default; 0: any that is free. */
  readonly nbdPort: number;
}

/** The options that say which store is meant; given ones win over the environment. @throws INVALID_ARGUMENT: two that exclude each other. */
export function readSettings(options: Readonly<Record<string, unknown>>, environment: NodeJS.ProcessEnv): Settings {
  const text = (name: string): string | undefined => (typeof options[name] === 'string' ? options[name] : undefined);
  const variable = (name: string): string | undefined => (environment[name] === '' ? undefined : environment[name]);
  const given = { endpoint: text('endpoint'), config: text('config'), dataDir: text('dataDir') };
  for (const [name, value] of Object.entries(given)) if (value === '') throw wrong(`${optionOf(name)} must not be empty`, name);
  const names = Object.entries(given).filter(([, value]) => value !== undefined);
  if (names.length > 1) {
    const [one = '', other = ''] = names.map(([name]) => optionOf(name));
    throw wrong(`${one} and ${other} each say which store is meant: give one of them`, names[0]?.[0] ?? '');
  }
  const told = names.length > 0;
  const from = (own: string | undefined, name: string): string | undefined => (told ? own : variable(name));
  const config = from(given.config, 'VBS_CONFIG');
  const dataDirectory = from(given.dataDir, 'VBS_DATA_DIR');
  return {
    endpoint: from(given.endpoint, 'VBS_ENDPOINT'),
    config: config === undefined ? undefined : resolve(config),
    dataDirectory: resolve(dataDirectory ?? defaultDataDirectory(environment, process.getuid?.() === 0)),
    output: options.output === 'json' ? 'json' : 'table',
    quiet: options.quiet === true,
    verbose: options.verbose === true,
    nbdPort: typeof options.nbdPort === 'number' ? options.nbdPort : 0,
  };
}

function optionOf(name: string): string {
  return name === 'dataDir' ? '--data-dir' : `--${name}`;
}

function wrong(message: string, field: string) {
  return failure('INVALID_ARGUMENT', message, { context: { field } });
}
