import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';

const root = fileURLToPath(new URL('../../../', import.meta.url));

interface Report {
  readonly diagnostics: readonly { readonly category: string; readonly location: { readonly path: string | { readonly file: string } } }[];
}

/** Imports of types, which dependency-cruiser does not see: who may take them from where. */
const imports: readonly (readonly [from: string, name: string, legal: boolean])[] = [
  ...['conformance', 'demo', 'plugins/file', 'server', 'cli', 'bench', 'lab'].flatMap((from): [string, string, boolean][] => [
    [from, '@vbs/core', true],
    [from, '@vbs/core/internal/errors.js', false],
    [from, '../../core/src/index.js', false],
  ]),
  ['core', '@vbs/schemas', true],
  ['core', '@vbs/plugin-file', false],
  ['core', '@vbs/server', false],
  ['core', 'tsyringe', false],
  ['plugins/sandbox', '@vbs/plugin-nbd/client', true],
  ['plugins/file', '@vbs/server', false],
  ['conformance', '@vbs/demo', false],
  ['server', '@vbs/schemas', true],
  ['server', '@vbs/plugin-file', false],
  ['server', '@vbs/cli', false],
  ['cli', '@vbs/server', true],
  ['cli', '@vbs/demo', true],
  ['cli', '@vbs/plugin-nbd/client', false],
  ['cli', '@vbs/bench', false],
  ['bench', '@vbs/plugin-nbd', true],
  ['bench', '@vbs/conformance', true],
  ['bench', '@vbs/cli', false],
  ['bench', '@vbs/lab', true],
  ...['core', 'plugins/file', 'conformance', 'demo', 'server', 'cli'].map((from): [string, string, boolean] => [from, '@vbs/lab', false]),
  ['server', '../../lab/src/index.js', false],
  ['lab', '@vbs/plugin-file', false],
  ['lab', '@vbs/conformance', false],
];

const fileOf = (from: string, index: number): string => `${from}/src/planted-${index}.ts`;

/** The planted files in which biome finds a forbidden import. */
async function refused(): Promise<ReadonlySet<string>> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-type-imports-'));
  try {
    const config = JSON.parse(await readFile(join(root, 'biome.json'), 'utf8')) as Record<string, unknown>;
    await writeFile(join(directory, 'biome.json'), JSON.stringify({ ...config, $schema: undefined, vcs: { enabled: false } }));
    for (const [index, [from, name]] of imports.entries()) {
      const file = join(directory, fileOf(from, index));
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, `import type { Planted } from '${name}';\n\nexport type Mine = Planted;\n`);
    }
    const args = [join(root, 'node_modules/@biomejs/biome/bin/biome'), 'lint', '--reporter=json', '--max-diagnostics=none'];
    // It exits with 1 when it finds something: what it prints is the answer.
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: directory, timeout: 60_000 }).catch(
      (error: { readonly stdout?: string }) => {
        if (error.stdout === undefined || error.stdout === '') throw error;
        return { stdout: error.stdout };
      },
    );
    const { diagnostics } = JSON.parse(stdout) as Report;
    const found = diagnostics.filter(({ category }) => category === 'lint/style/noRestrictedImports');
    return new Set(found.map(({ location: { path } }) => (typeof path === 'string' ? path : path.file)));
  } finally {
    await rm(directory, { recursive: true });
  }
}

const faults = refused();

for (const [index, [from, name, legal]] of imports.entries()) {
  test(`imports of types › ${from} ${legal ? 'may' : 'may not'} take types of ${name}`, async (t) => {
    t.is(!(await faults).has(fileOf(from, index)), legal);
  });
}
