import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';

const root = fileURLToPath(new URL('../../../', import.meta.url));

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
  'core/dist/contract/call.js': "import '../errors.js';",
  'core/dist/contract/secret.js': "import './call.js';",
  'core/dist/metadata/table.js': "import '../contract/call.js';",
  'core/dist/workflow/step.js': "import '../metadata/table.js';",
  'core/dist/operations/attach.js': "import '../workflow/step.js';",
  'conformance/dist/index.js': "import '@vbs/core';",
  'plugins/a/dist/index.js':
    "import 'node:fs'; import '@vbs/core'; import '@vbs/core/posix'; import '@vbs/plugin-b/client'; import './client.js';",
  'plugins/a/dist/client.js': '',
  'plugins/b/dist/index.js': "import '@vbs/core'; import './client.js';",
  'plugins/b/dist/client.js': '',
  'demo/dist/index.js': "import '@vbs/core'; import '@vbs/plugin-a';",
  'test/dist/any.test.js': "import '@vbs/core/internal/workflow/step.js'; import '@vbs/plugin-b';",
};

/** A workspace like this one, of empty files that only import. */
async function workspace(t: ExecutionContext, files: Readonly<Record<string, string>>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-dependency-rules-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), text);
  };
  await write('node_modules/tsyringe/package.json', JSON.stringify({ name: 'tsyringe', version: '1.0.0', main: 'index.js' }));
  await write('node_modules/tsyringe/index.js', '');
  await mkdir(join(directory, 'node_modules/@vbs'));
  for (const [folder, { name, declares }] of Object.entries(packages)) {
    const exports = {
      '.': './dist/index.js',
      './client': './dist/client.js',
      './posix': './dist/posix/index.js',
      './internal/*': './dist/*',
    };
    const dependencies = Object.fromEntries(declares.map((declared) => [declared, '1.0.0']));
    await write(join(folder, 'package.json'), JSON.stringify({ name, version: '1.0.0', type: 'module', exports, dependencies }));
    await symlink(join(directory, folder), join(directory, 'node_modules', name));
  }
  for (const [path, text] of Object.entries(files)) await write(path, text);
  return directory;
}

const everyFolder = [...Object.keys(packages), 'test'].map((folder) => `${folder}/dist`);

const isCaught = test.macro({
  exec: async (t: ExecutionContext, rule: string, file: string, planted: string) => {
    const directory = await workspace(t, { ...clean, [file]: `${clean[file] ?? ''}\n${planted}` });
    const { summary } = await cruise(directory, everyFolder);
    t.true(
      summary.violations.some((violation) => violation.rule.name === rule && violation.from === file),
      JSON.stringify(summary.violations, undefined, 2),
    );
  },
  title: (_, rule, file, planted) => `dependency rules › ${rule} catches ${planted} in ${file}`,
});

test('dependency rules › a tree that keeps them has no violation', async (t) => {
  const { modules, summary } = await cruise(await workspace(t, clean), everyFolder);
  t.deepEqual(summary.violations, []);
  for (const file of Object.keys(clean))
    t.true(
      modules.some(({ source }) => source === file),
      `${file} was not looked at`,
    );
});

test(isCaught, 'no-cycle', 'core/dist/contract/call.js', "import './secret.js';");
test(isCaught, 'resolvable', 'core/dist/errors.js', "import './none.js';");
test(isCaught, 'declared-dependencies', 'plugins/a/dist/index.js', "import 'tsyringe';");
test(isCaught, 'declared-in-workspace', 'plugins/b/dist/index.js', "import '@vbs/plugin-a/client';");
test(isCaught, 'packages-by-name', 'plugins/a/dist/index.js', "import '../../b/dist/client.js';");
test(isCaught, 'core-imports-no-plugin', 'core/dist/errors.js', "import '@vbs/plugin-b';");
test(isCaught, 'core-imports-no-plugin', 'core/dist/errors.js', "import '@vbs/conformance';");
test(isCaught, 'core-imports-no-plugin', 'core/dist/errors.js', "import '@vbs/demo';");
test(isCaught, 'schemas-import-nothing-of-ours', 'schemas/dist/index.js', "import '@vbs/core';");
test(isCaught, 'conformance-imports-core-alone', 'conformance/dist/index.js', "import '@vbs/plugin-b';");
test(isCaught, 'core-by-its-exports', 'plugins/a/dist/index.js', "import '@vbs/core/internal/workflow/step.js';");
test(isCaught, 'plugin-imports-core-and-clients', 'plugins/a/dist/index.js', "import '@vbs/plugin-b';");
test(isCaught, 'plugin-imports-core-and-clients', 'plugins/a/dist/index.js', "import '@vbs/conformance';");
test(isCaught, 'one-file-imports-tsyringe', 'core/dist/operations/attach.js', "import 'tsyringe';");
test(isCaught, 'contract-stands-alone', 'core/dist/contract/call.js', "import '../metadata/table.js';");
test(isCaught, 'rooms-below-the-workflow', 'core/dist/metadata/table.js', "import '../workflow/step.js';");
test(isCaught, 'workflow-below-operations', 'core/dist/workflow/step.js', "import '../operations/attach.js';");
test(isCaught, 'no-import-of-tests', 'demo/dist/index.js', "import '../../test/dist/any.test.js';");

test('dependency rules › every rule has a test that plants a violation', async (t) => {
  const config = await readFile(join(root, '.dependency-cruiser.cjs'), 'utf8');
  const rules = [...config.matchAll(/name: '([\w-]+)'/g)].map((match) => match[1] ?? '');
  const tested = await readFile(join(root, 'test/workspace/dependency-rules.test.ts'), 'utf8');
  t.true(rules.length > 10);
  t.deepEqual(
    rules.filter((rule) => !tested.includes(`test(isCaught, '${rule}'`)),
    [],
  );
});

test('dependency rules › this workspace keeps them, and is really looked at', async (t) => {
  const plugins = await readdir(join(root, 'plugins'));
  const { modules, summary } = await cruise(root, [
    ...['schemas/dist', 'core/dist', 'conformance/dist', 'demo/dist'],
    ...plugins.map((name) => `plugins/${name}/dist`),
  ]);
  t.deepEqual(
    summary.violations.map(({ from, to, rule }) => `${rule.name}: ${from} → ${to}`),
    [],
  );
  t.true(modules.some(({ source }) => source === 'core/dist/errors.js'));
});
