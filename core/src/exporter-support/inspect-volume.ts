import type { Call } from '../contract/call.js';
import type { LocatorKind, VolumeLocator } from '../contract/connection.js';
import { isVbsError, VbsError } from '../errors.js';
import type { Machine, RunOptions, RunResult } from '../machine/machine.js';

const fileType = 0o170000;
const regularFile = 0o100000;
const blockDevice = 0o060000;
const sectorBytes = 512;

/** What {@link inspectVolume} looks with; an exporter's `CommandRunner` with the pattern `inspectVolume` is `commands`. */
export interface InspectionTools {
  readonly commands: {
    /** `stat --dereference --format=%f:%s:%t:%T <path>` */
    run(call: Call, name: 'inspectVolume', values: { readonly path: string }, options: RunOptions): Promise<Pick<RunResult, 'stdout'>>;
  };
  readonly machine: Pick<Machine, 'readFile'>;
}

/**
 * The size in bytes of what a locator leads to, asked of a child and of sysfs: a dead device hangs no thread of this process (safety B4).
 * Of a file only whole sectors of 512 bytes count. `daemon`, for messages, is who will open the volume and takes lists separated by commas.
 * @throws NOT_FOUND, PERMISSION_DENIED. INVALID_ARGUMENT: it is not what its locator says, or the daemon cannot take its path.
 */
export async function inspectVolume(
  call: Call,
  { commands, machine }: InspectionTools,
  { path, kind }: VolumeLocator<LocatorKind>,
  daemon: string,
): Promise<number> {
  const field = 'volume.locator.path';
  if (!path.startsWith('/') || path.includes(',')) {
    const message = `${field} must be absolute and without a comma, at which ${daemon} would cut it; got ${JSON.stringify(path.slice(0, 200))}.`;
    throw new VbsError('INVALID_ARGUMENT', message, { context: { field } });
  }
  const [mode, size, major, minor] = (await stat(call, commands, path)).trim().split(':');
  const type = Number.parseInt(mode ?? '', 16) & fileType;
  if (type === regularFile && kind === 'file') return wholeSectors(Number(size));
  if (type === blockDevice && kind === 'block') {
    const device = `${Number.parseInt(major ?? '', 16)}:${Number.parseInt(minor ?? '', 16)}`;
    return Number(await machine.readFile(call, `/sys/dev/block/${device}/size`)) * sectorBytes;
  }
  const wanted = kind === 'block' ? 'a block device' : 'a regular file';
  throw new VbsError('INVALID_ARGUMENT', `${path} is not ${wanted}, as its locator says.`, { context: { field } });
}

function wholeSectors(bytes: number): number {
  return bytes - (bytes % sectorBytes);
}

async function stat(call: Call, commands: InspectionTools['commands'], path: string): Promise<string> {
  try {
    return (await commands.run(call, 'inspectVolume', { path }, { timeLimitMs: 10_000 })).stdout;
  } catch (error) {
    const stderr = isVbsError(error) ? String(error.context.stderr ?? '') : '';
    const context = { path };
    if (/No such file or directory|Not a directory/.test(stderr))
      throw new VbsError('NOT_FOUND', `The volume's locator leads nowhere: ${path} does not exist.`, { context, cause: error });
    if (/Permission denied/.test(stderr))
      throw new VbsError('PERMISSION_DENIED', `This user may not look at ${path}.`, { context, cause: error });
    throw error;
  }
}
