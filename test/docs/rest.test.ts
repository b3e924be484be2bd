import { createMetrics, createServer, defaultLimits, type Limits } from '@vbs/server';
import test from 'ava';
import { newStore, silent } from '../support/store.js';
import { readDocument, tableOf } from './markdown.js';

const document = await readDocument('docs/rest.md');
const codesOf = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '');

interface OpenApi {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly parameters?: readonly { readonly description?: string }[] }>>>
  >;
}

test('rest › the table of paths has every route of the server, and no other', async (t) => {
  const { store } = await newStore(t);
  const app = await createServer({ store, log: silent });
  t.teardown(() => app.close());
  const { paths } = (await app.inject('/openapi.json')).json<OpenApi>();
  const served = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods)
      .filter((method) => method !== 'head')
      .map((method) => `${method.toUpperCase()} ${path}`),
  );
  const shown = tableOf(document, ['', 'path', 'body', 'answers']).flatMap(([method = '', path = '']) =>
    codesOf(path).map((one) => `${method} ${one}`),
  );
  t.deepEqual([...shown].sort(), [...served].sort());

  const prefer = paths['/v1/volumes']?.post?.parameters?.map(({ description }) => description).join('\n') ?? '';
  const [, most, usual] = /\(0 to (\d+); (\d+) unless told\)/.exec(prefer) ?? [];
  t.true(document.includes(`waits for it, ${usual} s unless you say otherwise`));
  t.true(document.includes(`wait N seconds, 0 to ${most}; another N is \`400\``));
});

test('rest › the table of metrics has every one that the server counts, and no other', (t) => {
  const counted = createMetrics()
    .registry.getMetricsAsArray()
    .map(({ name }) => name)
    .filter((name) => !/^vbs_(nodejs|process)_/.test(name));
  const rows = tableOf(document, ['metric', 'labels']);
  const shown = rows.flatMap(([names = '']) => codesOf(names)).filter((name) => !/^vbs_(nodejs|process)_/.test(name));
  t.deepEqual([...shown].sort(), [...counted].sort());
});

test('rest › the metric of the event loop that is named is there', (t) => {
  const names = createMetrics()
    .registry.getMetricsAsArray()
    .map(({ name }) => name);
  t.true(names.includes('vbs_nodejs_eventloop_lag_p99_seconds'));
});

/** A limit as the page writes it: whole KiB, seconds, or a count. */
function written(name: string, value: number): string {
  if (name.endsWith('Bytes')) return `${value / 1024} KiB`;
  return name.endsWith('Ms') ? `${value / 1_000} s` : String(value);
}

const limits = new Map(tableOf(document, ['what', 'limit', 'name']).map(([, limit = '', name = '']) => [codesOf(name)[0], limit]));

test('rest › the table of limits has every limit of the server, and no other', (t) => {
  t.deepEqual([...limits.keys()].sort(), Object.keys(defaultLimits).sort());
});

for (const [name, value] of Object.entries(defaultLimits) as [keyof Limits, number][])
  test(`rest › the limit ${name} is told as it is`, (t) => {
    t.is(limits.get(name), written(name, value));
  });

test('rest › the port of the examples is that of vbs serve', async (t) => {
  const [, port] = /--port <port>`: .* Usually: (\d+)\./.exec(await readDocument('docs/cli.md')) ?? [];
  for (const page of ['README.md', 'docs/rest.md', 'docs/operators.md']) {
    const ports = new Set([...(await readDocument(page)).matchAll(/http:\/\/127\.0\.0\.1:(\d+)/g)].map((match) => match[1]));
    t.deepEqual([...ports], [port], page);
  }
});
