import test from 'ava';
import { filesBelow, readDocument, tableOf } from './markdown.js';

const document = await readDocument('docs/architecture.md');
const paths = await filesBelow('core/src/operations', (path) => path.endsWith('.ts'));
const sources = (await Promise.all(paths.map(readDocument))).join('\n');
const named = (field: string): ReadonlySet<string> =>
  new Set([...sources.matchAll(new RegExp(`\\b${field}: '([a-z]+(?:-[a-z]+)+)'`, 'g'))].map((match) => match[1] ?? ''));

/** The table of what recovery does: operations, and the steps that each names. */
const rows = tableOf(document, ['operation', 'interrupted at', 'then']);
const stepsShown = new Set(rows.flatMap((row) => [...row.join(' ').matchAll(/`([a-z]+(?:-[a-z]+)+)`/g)].map((match) => match[1] ?? '')));

test('architecture › the table of recovery has every operation, and no other', (t) => {
  const shown = rows.map(([operation = '']) => operation).filter((operation) => /^[a-z]+-[a-z]+$/.test(operation));
  t.deepEqual([...shown].sort(), [...named('kind')].sort());
});

test('architecture › the table of recovery has every step, and no other', (t) => {
  const steps = named('name');
  t.true(steps.size > 10);
  t.deepEqual(
    [...steps].filter((step) => !stepsShown.has(step)),
    [],
    'steps that are not told of',
  );
  t.deepEqual(
    [...stepsShown].filter((step) => !steps.has(step)),
    [],
    'steps that are not there',
  );
});

test('architecture › every room that is named is there, and every room is named', async (t) => {
  const files = await filesBelow('core/src', (path) => path.endsWith('.ts'));
  const rooms = new Set(
    files.map((path) => path.split('/').slice(2)).map(([room = '', inner]) => (inner === undefined ? room : `${room}/`)),
  );
  const told = tableOf(document, ['room', 'its one job']).map(([room = '']) => room);
  const shown = new Set(told.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '')));
  t.deepEqual([...shown].sort(), [...rooms].sort());
});
