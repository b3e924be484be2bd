import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const { packageFolders } = (await import(new URL('../../../scripts/workspace.mjs', import.meta.url).href)) as {
  packageFolders(root: string): readonly string[];
};

interface Cruise {
  readonly modules: readonly { readonly source: string }[];
  readonly summary: {
    readonly violations: readonly { readonly from: string; readonly to: string; readonly rule: { readonly name: string } }[];
  };
}

async function cruise(directory: string, folders: readonly string[]): Promise<Cruise> {
  const tool = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const args = [tool, '-T', 'json', '--config', join(root, '.dependency-cruiser.cjs'), ...folders];
  // It exits with the number of violations when there are some: what it prints is the answer.
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: directory, maxBuffer: 64 * 1024 * 1024 }).catch(
    (error: { stdout?: string }) => {
      if (error.stdout === undefined || error.stdout === '') throw error;
      return { stdout: error.stdout };
    },
  );
  return JSON.parse(stdout) as Cruise;
}

/** A package of a workspace in small: its folder, and the names of the workspace that its package.json declares. */
const packages = {
  schemas: { name: '@vbs/schemas', declares: [] },
  core: { name: '@vbs/core', declares: ['@vbs/schemas', 'tsyringe'] },
  conformance: { name: '@vbs/conformance', declares: ['@vbs/core'] },
  demo: { name: '@vbs/demo', declares: ['@vbs/core', '@vbs/plugin-a'] },
  server: { name: '@vbs/server', declares: ['@vbs/core', '@vbs/schemas'] },
  cli: { name: '@vbs/cli', declares: ['@vbs/core', '@vbs/schemas', '@vbs/server', '@vbs/demo', '@vbs/plugin-a'] },
  bench: { name: '@vbs/bench', declares: ['@vbs/core', '@vbs/server', '@vbs/demo', '@vbs/conformance', '@vbs/lab', '@vbs/plugin-a'] },
  lab: { name: '@vbs/lab', declares: ['@vbs/core'] },
  'plugins/a': { name: '@vbs/plugin-a', declares: ['@vbs/core', '@vbs/plugin-b'] },
  'plugins/b': { name: '@vbs/plugin-b', declares: ['@vbs/core'] },
} as const;

/** What keeps every rule, and looks like what breaks one. */
const clean: Readonly<Record<string, string>> = {
  'schemas/dist/index.js': '',
  'core/dist/index.js': "import '@vbs/schemas'; import './operations/attach.js'; import './di.js';",
  'core/dist/di.js': "import 'tsyringe';",
  'core/dist/errors.js': '',
  'core/dist/posix/index.js': '',
  'core/dist/exporter-support/index.js': "import '../errors.js';",
  'core/dist/contract/call.js': "import '../errors.js';",
  'core/dist/contract/secret.js': "import './call.js';",
  'core/dist/metadata/table.js': "import '../contract/call.js';",
  'core/dist/workflow/step.js': "import '../metadata/table.js';",
  'core/dist/operations/attach.js': "import '../workflow/step.js';",
  'conformance/dist/index.js': "import '@vbs/core';",
  'plugins/a/dist/index.js':
    "import 'node:fs'; import '@vbs/core'; import '@vbs/core/posix'; import '@vbs/core/exporter-support'; import '@vbs/plugin-b/client'; import './client.js';",
  'plugins/a/dist/client.js': '',
  'plugins/b/dist/index.js': "import '@vbs/core'; import './client.js';",
  'plugins/b/dist/client.js': '',
  'demo/dist/index.js': "import '@vbs/core'; import '@vbs/plugin-a';",
  'server/dist/index.js': "import '@vbs/core'; import '@vbs/schemas';",
  'cli/dist/index.js': "import '@vbs/core'; import '@vbs/schemas'; import '@vbs/server'; import '@vbs/demo'; import './serve.js';",
  'cli/dist/serve.js': '',
  'bench/dist/index.js':
    "import '@vbs/core'; import '@vbs/server'; import '@vbs/demo'; import '@vbs/conformance'; import '@vbs/plugin-a'; import '@vbs/lab'; import './row.js';",
  'bench/dist/row.js': '',
  'lab/dist/index.js': "import '@vbs/core'; import '@vbs/core/posix'; import './guest.js';",
  'lab/dist/guest.js': '',
  'test/dist/any.test.js':
    "import '@vbs/cli'; import '@vbs/lab'; import '@vbs/bench'; import '@vbs/core/internal/workflow/step.js'; import '@vbs/plugin-b';",
};

/** A workspace like this one, of empty files that only import. */
async function workspace(files: Readonly<Record<string, string>>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-dependency-rules-'));
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), text);
  };
  await write(
    'package.json',
    JSON.stringify({ name: 'small', workspaces: [...Object.keys(packages).filter((name) => !name.includes('/')), 'plugins/*'] }),
  );
  await write('node_modules/tsyringe/package.json', JSON.stringify({ name: 'tsyringe', version: '1.0.0', main: 'index.js' }));
  await write('node_modules/tsyringe/index.js', '');
  await mkdir(join(directory, 'node_modules/@vbs'));
  for (const [folder, { name, declares }] of Object.entries(packages)) {
    const exports = {
      '.': './dist/index.js',
      './client': './dist/client.js',
      './posix': './dist/posix/index.js',
      './exporter-support': './dist/exporter-support/index.js',
      './internal/*': './dist/*',
    };
    const dependencies = Object.fromEntries(declares.map((declared) => [declared, '1.0.0']));
    await write(join(folder, 'package.json'), JSON.stringify({ name, version: '1.0.0', type: 'module', exports, dependencies }));
    await symlink(join(directory, folder), join(directory, 'node_modules', name));
  }
  for (const [path, text] of Object.entries(files)) await write(path, text);
  return directory;
}

/** What the rules find in a workspace of these files. */
async function cruiseOf(files: Readonly<Record<string, string>>): Promise<Cruise> {
  const directory = await workspace(files);
  try {
    return await cruise(
      directory,
      [...Object.keys(packages), 'test'].map((folder) => `${folder}/dist`),
    );
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** One violation each: the rule that has to find it, the file that it is planted in, and what that file then imports. */
const planted: readonly (readonly [rule: string, file: string, name: string])[] = [
  ['no-cycle', 'core/dist/contract/call.js', './secret.js'],
  ['resolvable', 'core/dist/errors.js', './none.js'],
  ['declared-dependencies', 'plugins/a/dist/index.js', 'tsyringe'],
  ['declared-in-workspace', 'plugins/b/dist/index.js', '@vbs/plugin-a/client'],
  ['packages-by-name', 'plugins/a/dist/index.js', '../../b/dist/client.js'],
  ['core-imports-no-plugin', 'core/dist/errors.js', '@vbs/plugin-b'],
  ['core-imports-no-plugin', 'core/dist/errors.js', '@vbs/conformance'],
  ['core-imports-no-plugin', 'core/dist/errors.js', '@vbs/demo'],
  ['schemas-import-nothing-of-ours', 'schemas/dist/index.js', '@vbs/core'],
  ['conformance-imports-core-alone', 'conformance/dist/index.js', '@vbs/plugin-b'],
  ['core-imports-no-plugin', 'core/dist/errors.js', '@vbs/server'],
  ['declared-in-workspace', 'server/dist/index.js', '@vbs/demo'],
  ['packages-by-name', 'bench/dist/index.js', '../../plugins/a/dist/client.js'],
  ['declared-dependencies', 'bench/dist/index.js', 'tsyringe'],
  ['server-imports-core-alone', 'server/dist/index.js', '@vbs/plugin-a'],
  ['server-imports-core-alone', 'server/dist/index.js', '@vbs/demo'],
  ['server-imports-core-alone', 'server/dist/index.js', '@vbs/cli'],
  ['cli-imports-core-server-and-demo', 'cli/dist/index.js', '@vbs/plugin-a'],
  ['cli-imports-core-server-and-demo', 'cli/dist/index.js', '@vbs/plugin-a/client'],
  ['cli-imports-core-server-and-demo', 'cli/dist/index.js', '@vbs/conformance'],
  ['nobody-imports-cli-or-bench', 'demo/dist/index.js', '@vbs/cli'],
  ['nobody-imports-cli-or-bench', 'bench/dist/index.js', '@vbs/cli'],
  ['nobody-imports-cli-or-bench', 'cli/dist/index.js', '@vbs/bench'],
  ['core-by-its-exports', 'server/dist/index.js', '@vbs/core/internal/workflow/step.js'],
  ['core-by-its-exports', 'cli/dist/index.js', '@vbs/core/internal/workflow/step.js'],
  ['plugin-imports-core-and-clients', 'plugins/a/dist/index.js', '@vbs/server'],
  ['core-imports-no-plugin', 'core/dist/errors.js', '@vbs/lab'],
  ...[
    'core/dist/errors.js',
    ...['plugins/a', 'server', 'cli', 'conformance', 'demo', 'schemas'].map((folder) => `${folder}/dist/index.js`),
  ].map((file): [string, string, string] => ['lab-is-for-tests-and-measurements', file, '@vbs/lab']),
  ['lab-imports-core-alone', 'lab/dist/index.js', '@vbs/plugin-a'],
  ['lab-imports-core-alone', 'lab/dist/index.js', '@vbs/conformance'],
  ['nobody-imports-cli-or-bench', 'lab/dist/index.js', '@vbs/bench'],
  ['core-by-its-exports', 'lab/dist/index.js', '@vbs/core/internal/workflow/step.js'],
  ['no-import-of-tests', 'lab/dist/guest.js', '../../test/dist/any.test.js'],
  ['no-import-of-tests', 'bench/dist/index.js', '../../test/dist/any.test.js'],
  ['core-by-its-exports', 'plugins/a/dist/index.js', '@vbs/core/internal/workflow/step.js'],
  ['plugin-imports-core-and-clients', 'plugins/a/dist/index.js', '@vbs/plugin-b'],
  ['plugin-imports-core-and-clients', 'plugins/a/dist/index.js', '@vbs/conformance'],
  ['one-file-imports-tsyringe', 'core/dist/operations/attach.js', 'tsyringe'],
  ['contract-stands-alone', 'core/dist/contract/call.js', '../metadata/table.js'],
  ['rooms-below-the-workflow', 'core/dist/metadata/table.js', '../workflow/step.js'],
  ['workflow-below-operations', 'core/dist/workflow/step.js', '../operations/attach.js'],
  ['no-import-of-tests', 'demo/dist/index.js', '../../test/dist/any.test.js'],
];

/** The file that an import leads to, by its path from the workspace; one that leads nowhere stays as it is written. */
function targetOf(from: string, name: string): string {
  if (name.startsWith('.')) return name === './none.js' ? name : join(dirname(from), name);
  const [folder] = Object.entries(packages).find(([, { name: own }]) => name === own || name.startsWith(`${own}/`)) ?? [];
  if (folder === undefined) return `node_modules/${name}/index.js`;
  const inner = name.split('/').slice(2).join('/');
  const file = inner === '' ? 'index.js' : inner === 'client' ? 'client.js' : inner.replace('internal/', '');
  return `${folder}/dist/${file}`;
}

/** What is found when all of it is planted at once: a process for each would take most of a minute. */
let found: Cruise['summary']['violations'];

test.before(async () => {
  const files: Record<string, string> = { ...clean };
  // What is imported only when it is needed counts as much.
  for (const [index, [, file, name]] of planted.entries()) {
    const statement = index % 2 === 0 ? `import '${name}';` : `await import('${name}');`;
    files[file] = `${files[file] ?? ''}\n${statement}`;
  }
  found = (await cruiseOf(files)).summary.violations;
});

for (const [rule, file, name] of planted) {
  test(`dependency rules › ${rule} catches an import of ${name} in ${file}`, (t) => {
    const to = targetOf(file, name);
    t.true(
      found.some((violation) => violation.rule.name === rule && violation.from === file && violation.to === to),
      JSON.stringify(
        found.filter(({ from }) => from === file),
        undefined,
        2,
      ),
    );
  });
}

test('dependency rules › a tree that keeps them has no violation', async (t) => {
  const { modules, summary } = await cruiseOf(clean);
  t.deepEqual(summary.violations, []);
  for (const file of Object.keys(clean))
    t.true(
      modules.some(({ source }) => source === file),
      `${file} was not looked at`,
    );
});

test('dependency rules › every rule has a violation that is planted', async (t) => {
  const config = await readFile(join(root, '.dependency-cruiser.cjs'), 'utf8');
  const rules = [...config.matchAll(/name: '([\w-]+)'/g)].map((match) => match[1] ?? '');
  const tried = new Set(planted.map(([rule]) => rule));
  t.true(rules.length > 10);
  t.deepEqual(
    rules.filter((rule) => !tried.has(rule)),
    [],
  );
});

test('dependency rules › this workspace keeps them, and is really looked at', async (t) => {
  const folders = packageFolders(root);
  const { modules, summary } = await cruise(
    root,
    folders.map((folder) => `${folder}/dist`),
  );
  t.deepEqual(
    summary.violations.map(({ from, to, rule }) => `${rule.name}: ${from} → ${to}`),
    [],
  );
  t.true(modules.some(({ source }) => source === 'core/dist/errors.js'));
  for (const folder of folders)
    t.true(
      modules.some(({ source }) => source.startsWith(`${folder}/dist/`)),
      `${folder} was not looked at`,
    );
});
