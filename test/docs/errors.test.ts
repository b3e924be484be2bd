import { type ErrorCode, errorTable } from '@vbs/core';
import test from 'ava';
import { filesBelow, readDocument, tableOf } from './markdown.js';

const document = await readDocument('docs/errors.md');
const codes = Object.keys(errorTable) as ErrorCode[];
const unquoted = (cell: string): string => cell.replace(/^`(.*)`$/, '$1');

/** What the page says of each code: HTTP status, retry, what became of the effect, when. */
const documented = new Map(
  tableOf(document, ['code', 'HTTP', 'retry', 'effect', 'when']).map(([code = '', http, retry, effect, when]) => [
    unquoted(code),
    { http, retry, effect, when },
  ]),
);

test('errors › every code of the table is documented, with the same facts', (t) => {
  for (const code of codes) {
    const { http, retry, outcome, when } = errorTable[code];
    t.deepEqual(documented.get(code), { http: http === null ? '–' : String(http), retry, effect: outcome, when }, code);
  }
});

test('errors › no code is documented that the table does not have', (t) => {
  t.deepEqual(
    [...documented.keys()].filter((code) => !codes.includes(code as ErrorCode)),
    [],
  );
});

test('errors › every code has a section of its own, and no other code has one', (t) => {
  const sections = [...document.matchAll(/^## ([A-Z_]+)$/gm)].map((match) => match[1]);
  t.deepEqual(sections, codes);
});

/** The messages that the page quotes, of every table of messages. `…` stands for what differs. */
const messages = document
  .split('| message | cause |\n')
  .slice(1)
  .flatMap((table) => table.split('\n\n')[0]?.split('\n') ?? [])
  .map((row) => /^\| `([^`]*)` \|/.exec(row)?.[1])
  .filter((message) => message !== undefined);

test('errors › every quoted message is one that the sources have', async (t) => {
  const folders = ['core/src', 'plugins', 'server/src', 'cli/src'];
  const paths = (await Promise.all(folders.map((folder) => filesBelow(folder, (path) => path.endsWith('.ts'))))).flat();
  const sources = (await Promise.all(paths.map(readDocument))).join('\n');
  t.true(messages.length > 30, 'the tables of causes were read');
  const unknown = messages.filter((message) =>
    message
      .split('…')
      .map((part) => part.trim())
      .some((part) => part.length > 3 && !sources.includes(part)),
  );
  t.deepEqual(unknown, []);
});
