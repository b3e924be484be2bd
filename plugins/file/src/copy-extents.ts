import type { FileHandle } from 'node:fs/promises';
import { VbsError } from '@vbs/core';
import { nextData } from '@vbs/core/posix';
import { throwIfAborted } from './throw-if-aborted.js';

const mebibyte = 1024 * 1024;
const chunkBytes = 4 * mebibyte;
const syncEveryBytes = 32 * mebibyte;
const syncEveryMs = 2_000;

export interface CopyOptions {
  /** All below it is in the target already. */
  readonly fromBytes: number;
  /** Where the copy ends. */
  readonly sizeBytes: number;
  readonly signal: AbortSignal;
  /** All below `doneBytes` is on the medium. */
  readonly onDurable: (doneBytes: number) => void;
}

/**
 * Copies the bytes of a file into one that reads zeros wherever they were not copied yet, and so skips holes.
 * Ends when all is on the medium. Memory: 4 MiB; an abort is seen between chunks of that size.
 */
export async function copyExtents(source: FileHandle, target: FileHandle, options: CopyOptions): Promise<void> {
  const { sizeBytes, signal, onDurable } = options;
  // Some file systems tell of dirty pages as holes until they are written.
  await source.datasync();
  const buffer = Buffer.allocUnsafe(chunkBytes);
  let done = options.fromBytes;
  let unsynced = 0;
  let syncedAt = performance.now();
  while (done < sizeBytes) {
    throwIfAborted(signal);
    const extent = nextData(source.fd, done);
    if (extent === null || extent.offset >= sizeBytes) break;
    const length = Math.min(chunkBytes, extent.length, sizeBytes - extent.offset);
    const chunk = buffer.subarray(0, length);
    await readAll(source, chunk, extent.offset);
    await writeAll(target, chunk, extent.offset);
    done = extent.offset + length;
    unsynced += length;
    if (unsynced < syncEveryBytes && performance.now() - syncedAt < syncEveryMs) continue;
    await target.datasync();
    onDurable(done);
    unsynced = 0;
    syncedAt = performance.now();
  }
  throwIfAborted(signal);
  await target.datasync();
  onDurable(sizeBytes);
}

async function readAll(file: FileHandle, into: Buffer, position: number): Promise<void> {
  for (let done = 0; done < into.length; ) {
    const { bytesRead } = await file.read(into, done, into.length - done, position + done);
    if (bytesRead === 0) throw new VbsError('INTERNAL', 'A file became shorter while it was copied.', { context: { position } });
    done += bytesRead;
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
