import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import test from 'ava';
import { readDocument, root } from '../../docs/markdown.js';

const tests = join(root, 'test');
const here = 'core/safety';

/** How many rules each chapter has. */
const chapters = { A: 7, B: 4, C: 5, D: 3, E: 5, F: 5 } as const;
const rules = Object.entries(chapters).flatMap(([chapter, count]) => Array.from({ length: count }, (_, index) => `${chapter}${index + 1}`));

interface Row {
  readonly rule: string;
  readonly heldBy: string;
}

async function readRows(): Promise<readonly Row[]> {
  const markdown = await readDocument('docs/safety.md');
  return [...markdown.matchAll(/^\| ([A-F]\d) \| [^|]+ \| (.+) \|$/gm)].map(([, rule = '', heldBy = '']) => ({ rule, heldBy }));
}

/** The files that a cell names, and of each how titles in it begin. */
function titlesOf({ heldBy }: Row): readonly (readonly [file: string, titles: readonly string[]])[] {
  return [...heldBy.matchAll(/`([^`]+)`((?:,? “[^”]+”)*)/g)].map(([, file = '', titles = '']) => [
    file,
    [...titles.matchAll(/“([^”]+)”/g)].map(([, title = '']) => title),
  ]);
}

/** A test file, with what it imports from its own folder: a macro's title stands there. */
async function sourceOf(file: string): Promise<string> {
  const path = join(tests, file);
  const source = await readFile(path, 'utf8');
  const near = [...source.matchAll(/from '(\.\/[^']+)\.js'/g)].map(([, name = '']) => join(dirname(path), `${name}.ts`));
  return [source, ...(await Promise.all(near.map((name) => readFile(name, 'utf8'))))].join('\n');
}

/** A title begins at its quote, or behind a placeholder. */
const hasTitle = (source: string, title: string): boolean =>
  ["'", '"', '`', '} ', '}'].some((before) => source.includes(`${before}${title}`));

test('the safety rules › each stands in the table once, with a test or the reason why it has none', async (t) => {
  const rows = await readRows();
  t.deepEqual(
    rows.map(({ rule }) => rule),
    rules,
  );
  for (const row of rows) {
    const named = titlesOf(row).filter(([, titles]) => titles.length > 0);
    t.true(named.length > 0 || row.heldBy.startsWith('none: '), row.rule);
  }
});

test('the safety rules › every test file and title that the table names exists', async (t) => {
  for (const row of await readRows()) {
    for (const [file, titles] of titlesOf(row)) {
      if (!existsSync(join(tests, file))) {
        t.fail(`${row.rule}: there is no ${file}`);
        continue;
      }
      t.true(titles.length > 0, `${row.rule}: no title of ${file}`);
      const source = await sourceOf(file);
      for (const title of titles) t.true(hasTitle(source, title), `${row.rule}: ${file} has no test “${title}”`);
    }
  }
});

test('the safety rules › every scenario of this folder is in the table', async (t) => {
  const named = (await readRows()).flatMap((row) => titlesOf(row).flatMap(([file, titles]) => titles.map((title) => ({ file, title }))));
  const files = (await readdir(join(tests, here))).filter((name) => name.endsWith('.test.ts') && name !== 'index.test.ts');
  for (const name of files) {
    const file = `${here}/${name}`;
    const source = await readFile(join(tests, file), 'utf8');
    const titles = [...source.matchAll(/^\s*test(?:\.serial|\.failing)?\(\s*['"`]([A-F]\d › .+?)['"`],/gm)].map(([, title = '']) => title);
    t.true(titles.length > 0, `${file} has no test that is named after a rule`);
    for (const title of titles)
      t.true(
        named.some((one) => one.file === file && title.startsWith(one.title)),
        `${file}: “${title}” is not in the table`,
      );
  }
});
