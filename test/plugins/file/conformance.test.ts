import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { volumeBackendConformance } from '@vbs/conformance';
import filePlugin from '@vbs/plugin-file';
import test from 'ava';
import { fileIo } from '../../conformance/file-io.js';
import { noXfs } from './mounts.js';

const run = promisify(execFile);
const withReflink = 'XFS on a loop device';

volumeBackendConformance(test, filePlugin, { config: (directory) => ({ directory }), io: fileIo });

/** One file system for all tests of this file, each with a folder of its own on it. */
let mounting: Promise<{ readonly mounted: string; readonly base: string }> | undefined;

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

if (noXfs === '') {
  let drawn = 0;
  volumeBackendConformance(test, filePlugin, {
    label: withReflink,
    config: async () => {
      mounting ??= mountXfs();
      return { directory: path.join((await mounting).mounted, `pool-${++drawn}`) };
    },
    io: fileIo,
  });
  test.after.always(async () => {
    if (mounting === undefined) return;
    const { mounted, base } = await mounting;
    await run('umount', [mounted]);
    await rm(base, { recursive: true, force: true });
  });
} else {
  test.skip(`volumeBackend (${withReflink}) (skipped: ${noXfs})`, () => undefined);
}
