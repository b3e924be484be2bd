import { open } from 'node:fs/promises';
import { VbsError } from '@vbs/core';

/**
 * Makes the names in a folder durable (fsync(2): the entry of a file needs a sync of its directory).
 * @throws UNAVAILABLE: they are there, but may be lost at a power cut.
 */
export async function syncDirectory(path: string): Promise<void> {
  try {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (cause) {
    throw new VbsError('UNAVAILABLE', `The names in ${path} could not be brought to the disk; try again once the disk answers.`, {
      context: { path },
      cause,
    });
  }
}
