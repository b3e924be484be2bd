import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { type Block, blocksOf, readDocument, root } from './markdown.js';

const execute = promisify(execFile);

/**
 * The documents whose code is tried. A block of TypeScript is `run` (a program), `prelude` (the beginning of a program, one a
 * document), `continued` (goes on from the prelude) or `check` (is only compiled). A block of `yaml NAME` is a file in the folder in
 * which the programs run. `text output` is what the program before it prints.
 */
const documents = ['README.md', 'core/README.md', 'server/README.md', 'docs/integrators.md', 'docs/plugin-authors.md', 'docs/rest.md'];

interface Example {
  readonly title: string;
  /** Its file in the project, without `.ts`. */
  readonly name: string;
  readonly source: string;
  readonly runs: boolean;
  readonly files: readonly { readonly name: string; readonly text: string }[];
  readonly output: string | undefined;
}

const isTypeScript = ({ info: [language] }: Block): boolean => language === 'ts';
const roleOf = ({ info: [, role] }: Block): string => role ?? '';

async function examplesOf(document: string): Promise<readonly Example[]> {
  const blocks = blocksOf(await readDocument(document));
  const prelude = blocks.find((block) => isTypeScript(block) && roleOf(block) === 'prelude')?.text ?? '';
  const files = blocks
    .filter(({ info: [language, name] }) => language === 'yaml' && name !== undefined)
    .map(({ info: [, name = ''], text }) => ({ name, text }));
  return blocks.flatMap((block, index) => {
    if (!isTypeScript(block)) return [];
    const next = blocks[index + 1];
    const role = roleOf(block);
    return {
      title: `${document}, line ${block.line}`,
      name: `${document.replaceAll(/\W+/g, '-')}-${block.line}`,
      source: role === 'continued' ? `${prelude}\n${block.text}` : block.text,
      runs: role !== 'check',
      files,
      output: next?.info.join(' ') === 'text output' ? next.text : undefined,
    };
  });
}

const examples = (await Promise.all(documents.map(examplesOf))).flat();

/** Ids, ports, times and folders differ from run to run. */
function comparable(output: string): string {
  return output
    .replaceAll(/\b(vol|snap|att|exp|op)-[0-9a-f]{17}\b/g, '$1-…')
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:…')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .trimEnd();
}

/** Compiles all examples as one project, with the options of this repository, among its own packages. */
async function compile(folder: string): Promise<void> {
  const options = { rootDir: '.', outDir: 'out', composite: false, declarationMap: false, declaration: false, noUnusedLocals: false };
  const project = { extends: join(root, 'tsconfig.base.json'), compilerOptions: options, include: ['*.ts'] };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(project));
  for (const { name, source } of examples) await writeFile(join(folder, `${name}.ts`), source);
  await execute(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder, '--pretty', 'false'], { timeout: 120_000 });
}

let project: string;
let failure: string | undefined;

test.before(async () => {
  await mkdir(join(root, 'test/dist'), { recursive: true });
  project = await mkdtemp(join(root, 'test/dist/examples-'));
  await compile(project).catch((error: { readonly stdout?: string; readonly message: string }) => {
    failure = error.stdout || error.message;
  });
});

test.after.always(async () => {
  await rm(project, { recursive: true, force: true });
});

test('examples › every one compiles', (t) => {
  t.is(failure, undefined);
});

test('examples › every block of TypeScript says how it is tried', async (t) => {
  for (const document of documents) {
    const unknown = blocksOf(await readDocument(document)).filter(
      (block) => isTypeScript(block) && !['run', 'prelude', 'continued', 'check'].includes(roleOf(block)),
    );
    t.deepEqual(
      unknown.map(({ line }) => line),
      [],
      document,
    );
  }
  t.true(examples.filter(({ runs }) => runs).length >= 10);
});

for (const { title, name, files, output } of examples.filter(({ runs }) => runs)) {
  // One after the other: each is a process of its own.
  test.serial(`examples › ${title} runs${output === undefined ? '' : ', and prints what is shown'}`, async (t) => {
    t.timeout(60_000);
    const directory = await mkdtemp(join(tmpdir(), 'vbs-example-'));
    t.teardown(() => rm(directory, { recursive: true, force: true }));
    for (const file of files) await writeFile(join(directory, file.name), file.text);
    const { stdout } = await execute(process.execPath, [join(project, 'out', `${name}.js`)], {
      cwd: directory,
      timeout: 30_000,
    });
    if (output === undefined) t.pass();
    else t.is(comparable(stdout), comparable(output));
  });
}
