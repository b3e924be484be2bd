import { open } from 'node:fs/promises';
import type { VolumeLocator } from '@vbs/core';

/** The bytes of a volume that is a file. */
export const fileIo = {
  async read({ path }: VolumeLocator<'file'>, offset: number, length: number): Promise<Buffer> {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  },
  async write({ path }: VolumeLocator<'file'>, offset: number, bytes: Uint8Array): Promise<void> {
    const file = await open(path, 'r+');
    try {
      await file.write(bytes, 0, bytes.length, offset);
      await file.datasync();
    } finally {
      await file.close();
    }
  },
};
