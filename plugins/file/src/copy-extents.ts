import type { FileHandle } from 'node:fs/promises';
import { nextData } from '@vbs/core/posix';
import { PieceCopier } from './copy-piece.js';
import { DurableProgress, type DurableProgressOptions } from './durable-progress.js';
import { throwIfAborted } from './throw-if-aborted.js';

export interface CopyOptions extends DurableProgressOptions {
  /** All below it is in the target already. */
  readonly fromBytes: number;
  /** Where the copy ends. */
  readonly sizeBytes: number;
}

/**
 * Copies the bytes of a file into one that reads zeros wherever they were not copied yet, and so skips holes.
 * Ends when all is on the medium. Memory: none, or 256 KiB where the kernel cannot copy by itself; an abort is seen every 8 MiB.
 */
export async function copyExtents(source: FileHandle, target: FileHandle, options: CopyOptions): Promise<void> {
  const { sizeBytes, signal } = options;
  // Some file systems tell of dirty pages as holes until they are written.
  await source.datasync();
  const copier = new PieceCopier(source, target);
  const progress = new DurableProgress(target, options);
  try {
    for (let done = options.fromBytes; done < sizeBytes; ) {
      throwIfAborted(signal);
      const extent = nextData(source.fd, done);
      if (extent === null || extent.offset >= sizeBytes) break;
      const length = await copier.copy({ offset: extent.offset, length: Math.min(extent.length, sizeBytes - extent.offset) });
      done = extent.offset + length;
      await progress.wrote(length, done);
    }
    await progress.finish(sizeBytes);
  } finally {
    // The caller closes the target: nothing may still act on it.
    await progress.settled();
  }
}
