import { type Call, type LocatorKind, VbsError, type VolumeLocator } from '@vbs/core';
import { mapExporterError } from './map-error.js';
import type { Tools } from './tools.js';

const limitMs = 30_000;

/** The size in bytes of what a locator leads to, asked of a child: a dead device hangs no thread of this process (safety B4). */
export async function sizeOfVolume(
  call: Call,
  { commands }: Pick<Tools, 'commands'>,
  { kind, path }: VolumeLocator<LocatorKind>,
): Promise<number> {
  const command = kind === 'block' ? 'sizeOfDevice' : 'sizeOfFile';
  try {
    const size = (await commands.run(call, command, { path }, { timeLimitMs: limitMs })).stdout.trim();
    if (/^\d+$/.test(size)) return Number(size);
    throw new VbsError('INTERNAL', `${command} answered ${JSON.stringify(size.slice(0, 80))} for ${path}, which is no size.`);
  } catch (error) {
    const mapped = mapExporterError(error);
    const told = String(mapped.context.stderr ?? '');
    if (!/No such file or directory|Not a directory/.test(told)) throw mapped;
    throw new VbsError('NOT_FOUND', `The volume's locator leads nowhere: ${path} does not exist.`, { context: { path }, cause: error });
  }
}
