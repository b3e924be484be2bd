import { constants } from 'node:fs';
import { copyFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

const cannot = new Set(['EOPNOTSUPP', 'ENOTSUP', 'EXDEV', 'EINVAL', 'ENOTTY', 'ENOSYS']);

/** Whether files in a folder can share blocks (ioctl_ficlone(2)): tried out. */
export async function canReflink(folder: string): Promise<boolean> {
  const [one, other] = [path.join(folder, 'reflink-probe'), path.join(folder, 'reflink-probe-copy')];
  await writeFile(one, Buffer.alloc(65_536, 1));
  try {
    await copyFile(one, other, constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch (error) {
    if (cannot.has((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  } finally {
    await Promise.all([one, other].map((file) => rm(file, { force: true })));
  }
}
