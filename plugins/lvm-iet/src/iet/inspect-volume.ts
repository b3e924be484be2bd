import { type Call, type CommandRunner, isVbsError, type LocatorKind, type Machine, VbsError, type VolumeLocator } from '@vbs/core';
import type { commands } from './commands.js';

const fileType = 0o170000;
const regularFile = 0o100000;
const blockDevice = 0o060000;
const sectorBytes = 512;

/**
 * The size in bytes of what a locator leads to, asked of a child and of sysfs: a dead device hangs no thread of this process (safety B4).
 * @throws NOT_FOUND, PERMISSION_DENIED. INVALID_ARGUMENT: it is neither a regular file nor a block device, or IET cannot take its path.
 */
export async function inspectVolume(
  call: Call,
  { commands: runner, machine }: { readonly commands: CommandRunner<typeof commands>; readonly machine: Machine },
  { path, kind }: VolumeLocator<LocatorKind>,
): Promise<number> {
  const field = 'volume.locator.path';
  if (!path.startsWith('/') || path.includes(',')) {
    const message = `${field} must be absolute and without a comma, at which ietd would cut it; got ${JSON.stringify(path.slice(0, 200))}.`;
    throw new VbsError('INVALID_ARGUMENT', message, { context: { field } });
  }
  const [mode, size, major, minor] = (await stat(call, runner, path)).trim().split(':');
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

async function stat(call: Call, runner: CommandRunner<typeof commands>, path: string): Promise<string> {
  try {
    return (await runner.run(call, 'inspectVolume', { path }, { timeLimitMs: 10_000 })).stdout;
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
