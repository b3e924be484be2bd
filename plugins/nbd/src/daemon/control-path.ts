import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { VbsError } from '@vbs/core';

/** sun_path of unix(7) without the NUL at its end. */
export const longestSocketPath = 107;

/** Where the daemon of an exporter is found: short names, since sockets have short paths, and instances may have long names. */
export interface DaemonPlaces {
  /** By which the machine knows its process, and whose guard is held while it is started. */
  readonly process: string;
  readonly folder: string;
  readonly control: string;
  /** The file that it is started with. */
  readonly config: string;
}

export function daemonPlaces(stateDirectory: string, instance: string): DaemonPlaces {
  const hash = createHash('sha256').update(instance).digest('hex').slice(0, 12);
  const folder = join(stateDirectory, 'nbd');
  return {
    process: `nbd-server-${hash}`,
    folder,
    control: join(folder, `${hash}.sock`),
    config: join(folder, `${hash}.json`),
  };
}

/** Why a path cannot be a socket's; undefined when it can. */
export function socketPathFault(path: string): string | undefined {
  const bytes = Buffer.byteLength(path);
  if (bytes <= longestSocketPath) return undefined;
  return `the path of the control socket, ${path}, has ${bytes} bytes, and Linux takes ${longestSocketPath}: set stateDirectory to a shorter one`;
}

/** @throws CONFIG_INVALID: the state directory's path is too long for a socket in it. */
export function requireSocketPath(instance: string, path: string): void {
  const fault = socketPathFault(path);
  if (fault === undefined) return;
  const message = `${instance}: ${fault}`;
  throw new VbsError('CONFIG_INVALID', message, { context: { field: 'stateDirectory', faults: [message] } });
}
