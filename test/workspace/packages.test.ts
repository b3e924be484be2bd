import { existsSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const { packageFolders } = (await import(new URL('../../../scripts/workspace.mjs', import.meta.url).href)) as {
  packageFolders(root: string): readonly string[];
};
const folders = packageFolders(root);

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly description?: string;
  readonly license?: string;
  readonly type?: string;
  readonly engines?: { readonly node?: string };
  readonly exports?: unknown;
  readonly bin?: unknown;
  readonly files?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as Manifest;
}

const whole = manifestOf('.');

/** Every path that an `exports` or a `bin` leads to. */
function targetsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(targetsOf) : [];
}

/** Whether a target is there; one with a `*` when its folder is. */
function isThere(folder: string, target: string): boolean {
  const star = target.indexOf('*');
  return existsSync(join(root, folder, star === -1 ? target : target.slice(0, target.lastIndexOf('/', star))));
}

/** The first part of a target, which `files` has to name for it to be published. */
function isPublished(files: readonly string[], target: string): boolean {
  const path = target.replace(/^\.\//, '');
  return files.some((entry) => entry === path || entry === path.split('/')[0]);
}

test('packages › there are the ones that everybody knows', (t) => {
  for (const folder of ['schemas', 'core', 'conformance', 'server', 'cli', 'plugins/file', 'plugins/nbd', 'plugins/sandbox'])
    t.true(folders.includes(folder), folder);
});

for (const folder of folders) {
  const manifest = manifestOf(folder);

  test(`packages › ${manifest.name} says what it is, and for which Node.js`, (t) => {
    const { name, version, license, type, engines, description, private: isPrivate } = manifest;
    t.true(name.startsWith('@vbs/'));
    t.is(version, whole.version);
    t.is(license, 'Apache-2.0');
    t.is(type, 'module');
    if (isPrivate === true) return;
    t.is(engines?.node, whole.engines?.node);
    t.true((description ?? '').length > 10);
  });

  test(`packages › what ${manifest.name} leads to is there after a build, and is published`, (t) => {
    const targets = [...targetsOf(manifest.exports), ...targetsOf(manifest.bin)];
    t.deepEqual(
      targets.filter((target) => !isThere(folder, target)),
      [],
    );
    if (manifest.private === true) return;
    t.true(targets.length > 0, 'it has neither exports nor bin');
    t.deepEqual(
      targets.filter((target) => !isPublished(manifest.files ?? [], target)),
      [],
    );
  });

  test(`packages › ${manifest.name} names no version but exact ones, and those of its siblings`, (t) => {
    const all = Object.entries({ ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.devDependencies });
    const wrong = all.filter(([name, version]) =>
      name.startsWith('@vbs/') ? version !== whole.version : !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version),
    );
    t.deepEqual(wrong, []);
  });

  if (manifest.private === true) continue;

  test(`packages › ${manifest.name} has a README that begins with its name, and publishes it with all that it needs`, async (t) => {
    const readme = await readFile(join(root, folder, 'README.md'), 'utf8');
    t.regex(readme, /^# \S/);
    const files = manifest.files ?? [];
    t.deepEqual(
      files.filter((entry) => !entry.includes('*') && !existsSync(join(root, folder, entry))),
      [],
      'files that are not there',
    );
    // npm publishes README.md without being told; dist has to be told.
    t.true(files.includes('dist'));
    const schemas = (await readdir(join(root, folder))).filter((name) => name.endsWith('.schema.json'));
    t.deepEqual(
      schemas.filter((name) => !files.includes(name) && !files.includes('*.schema.json')),
      [],
      'schemas that are not published',
    );
  });
}

test('packages › every one of the workspace is built with the rest, and tested', async (t) => {
  for (const project of ['tsconfig.json', 'test/tsconfig.json']) {
    const { references } = JSON.parse(await readFile(join(root, project), 'utf8')) as {
      readonly references: readonly { readonly path: string }[];
    };
    const built = references.map(({ path }) => path.replace('../', ''));
    t.deepEqual(
      folders.filter((folder) => !built.includes(folder)),
      [],
      project,
    );
  }
});
