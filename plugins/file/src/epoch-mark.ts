import { open, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { syncDirectory } from './sync-directory.js';

const prefix = 'vbs-epoch.';
const markName = /^vbs-epoch\.([0-9]{1,16})$/;

/**
 * Raises a pool's epoch mark to at least `epoch` and answers it. The mark is the highest number among empty files named after one:
 * making another never tears or lowers it, whoever does so at the same moment.
 */
export async function raiseEpochMark(directory: string, epoch: number): Promise<number> {
  const marks = await listMarks(directory);
  const highest = Math.max(epoch, ...marks);
  if (!marks.includes(highest)) {
    const file = await open(path.join(directory, `${prefix}${highest}`), 'a', 0o600);
    await file.close();
    await syncDirectory(directory);
  }
  await Promise.all(marks.filter((mark) => mark < highest).map((mark) => rm(path.join(directory, `${prefix}${mark}`), { force: true })));
  return highest;
}

async function listMarks(directory: string): Promise<number[]> {
  return (await readdir(directory)).flatMap((name) => {
    const match = markName.exec(name);
    return match === null ? [] : [Number(match[1])];
  });
}
