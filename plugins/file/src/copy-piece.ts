import type { FileHandle } from 'node:fs/promises';
import { VbsError } from '@vbs/core';
import { copyRange, type Extent } from '@vbs/core/posix';

/** An abort is seen between pieces of this size. */
const inKernelBytes = 8 * 1024 * 1024;
/**
 * The kernel backs a large write by large pages where it can, and has to find and clear them: writes of a mebibyte and more were seen to
 * take up to four times as long for each byte.
 */
const bufferBytes = 256 * 1024;

const cannot = new Set(['EXDEV', 'EOPNOTSUPP', 'EINVAL', 'ENOSYS']);

/** Copies pieces of one file to the same places of another: within the kernel, or through a buffer where the file system cannot. */
export class PieceCopier {
  readonly #source: FileHandle;
  readonly #target: FileHandle;
  #buffer: Buffer | undefined;

  constructor(source: FileHandle, target: FileHandle) {
    this.#source = source;
    this.#target = target;
  }

  /** Copies the beginning of an extent and answers how many bytes: at most 8 MiB. @throws INTERNAL: the source ends before. */
  async copy({ offset, length }: Extent): Promise<number> {
    if (this.#buffer === undefined) {
      try {
        const copied = await copyRange(this.#source.fd, this.#target.fd, { offset, length: Math.min(length, inKernelBytes) });
        if (copied > 0) return copied;
        throw becameShorter(offset);
      } catch (error) {
        if (!cannot.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
        this.#buffer = Buffer.allocUnsafe(bufferBytes);
      }
    }
    const { bytesRead } = await this.#source.read(this.#buffer, 0, Math.min(length, bufferBytes), offset);
    if (bytesRead === 0) throw becameShorter(offset);
    for (let done = 0; done < bytesRead; ) {
      const { bytesWritten } = await this.#target.write(this.#buffer, done, bytesRead - done, offset + done);
      done += bytesWritten;
    }
    return bytesRead;
  }
}

const becameShorter = (position: number): VbsError =>
  new VbsError('INTERNAL', 'A file became shorter while it was copied.', { context: { position } });
