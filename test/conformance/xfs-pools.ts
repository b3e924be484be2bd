import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { TestFn } from 'ava';

const run = promisify(execFile);

/** Folders on one XFS with reflinks, mounted when the first is asked for and gone after the last test of the file. */
export function xfsPools(test: TestFn): () => Promise<string> {
  let mounting: Promise<{ readonly mounted: string; readonly base: string }> | undefined;
  let drawn = 0;
  test.after.always(async () => {
    if (mounting === undefined) return;
    const { mounted, base } = await mounting;
    await run('umount', [mounted]);
    await rm(base, { recursive: true, force: true });
  });
  return async () => {
    mounting ??= mountXfs();
    return path.join((await mounting).mounted, `pool-${++drawn}`);
  };
}

async function mountXfs() {
  const base = await mkdtemp(path.join(tmpdir(), 'vbs-conformance-xfs-'));
  const [image, mounted] = [path.join(base, 'xfs.img'), path.join(base, 'mounted')];
  await writeFile(image, '');
  await truncate(image, 512 * 1024 * 1024);
  await mkdir(mounted);
  await run('mkfs.xfs', ['-q', '-m', 'reflink=1', image]);
  await run('mount', ['-o', 'loop', image, mounted]);
  return { mounted, base };
}
