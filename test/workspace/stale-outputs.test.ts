import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test from 'ava';

const { removeStaleOutputs } = (await import(new URL('../../../scripts/setup/build.mjs', import.meta.url).href)) as {
  removeStaleOutputs(root: string): void;
};

test('build › removes what has no source any more, of every package and of the tests, and nothing else', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'vbs-stale-'));
  t.teardown(() => rm(root, { recursive: true }));
  const files = {
    'package.json': JSON.stringify({ workspaces: ['server', 'plugins/*'] }),
    'server/package.json': '{}',
    'server/src/kept.ts': '',
    'server/dist/kept.js': '',
    'server/dist/kept.d.ts.map': '',
    'server/dist/.tsbuildinfo': '',
    'server/dist/gone.js': '',
    'server/dist/gone.d.ts': '',
    'plugins/a/package.json': '{}',
    'plugins/a/src/room/kept.ts': '',
    'plugins/a/dist/room/kept.js': '',
    'plugins/a/dist/gone/one.js': '',
    'plugins/no-package/dist/any.js': '',
    'test/server/kept.test.ts': '',
    'test/dist/server/kept.test.js': '',
    'test/dist/server/gone.test.js': '',
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  removeStaleOutputs(root);
  const left = (await readdir(root, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
  const gone = Object.keys(files).filter((path) => path.includes('gone'));
  t.deepEqual(
    left.sort(),
    Object.keys(files)
      .filter((path) => !gone.includes(path))
      .sort(),
  );
});
