import test from 'ava';
import { filesBelow, readDocument } from './markdown.js';

const page = await readDocument('docs/safety.md');

/** Of each rule, the files that its row names, and of each how titles in it begin. */
const rows = new Map(
  [...page.matchAll(/^\| ([A-F]\d) \| [^|]+ \| (.+) \|$/gm)].map(([, rule = '', heldBy = '']) => [
    rule,
    [...heldBy.matchAll(/`([^`]+)`((?:,? “[^”]+”)*)/g)].flatMap(([, file = '', titles = '']) =>
      [...titles.matchAll(/“([^”]+)”/g)].map(([, title = '']) => ({ file, title })),
    ),
  ]),
);

/** The titles of a file that begin with rules, `safety B2, F1 › …`, each with these. */
function namedAfterRules(source: string): readonly { readonly title: string; readonly rules: readonly string[] }[] {
  return [...source.matchAll(/(['"`])(safety ([A-F]\d(?:, [A-F]\d)*) › .+?)\1/g)].map(([, , title = '', rules = '']) => ({
    title,
    rules: rules.split(', '),
  }));
}

test('safety › every test that is named after a rule stands in the row of that rule', async (t) => {
  const files = await filesBelow('test', (path) => path.endsWith('.test.ts') && !path.startsWith('test/docs/'));
  let met = 0;
  const missing: string[] = [];
  for (const path of files) {
    const file = path.slice('test/'.length);
    for (const { title, rules } of namedAfterRules(await readDocument(path))) {
      met += 1;
      for (const rule of rules)
        if (!rows.get(rule)?.some((one) => one.file === file && title.startsWith(one.title))) missing.push(`${rule}: ${file} “${title}”`);
    }
  }
  t.true(met > 40);
  t.deepEqual(missing, []);
});
