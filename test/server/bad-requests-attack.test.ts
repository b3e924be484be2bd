import { randomInt } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { startChild } from '../support/child.js';
import { MiB, newDirectory, until } from '../support/store.js';
import { newService, over, type TestService } from './fixture.js';
import { newBadPlace } from './support/bad-place.js';
import { fuzzedRoutes, requestsOf } from './support/bad-values.js';
import { requestBytes, Wire } from './support/bad-wire.js';

const child = new URL('./serving-child.js', import.meta.url);
const onlySocket = { socket: null } as const;

/** A seed that is printed, or the one that is given to repeat a run; VBS_RUNS says how many requests each route gets. */
function seedOf(t: ExecutionContext): number {
  const seed = Number(process.env.VBS_SEED ?? randomInt(2 ** 31));
  t.log(`VBS_SEED=${seed}`);
  return seed;
}

/** As a part of an address; halves of surrogates have no UTF-8. */
const encoded = (text: string): string => encodeURIComponent(Buffer.from(text).toString());

test('attack › any values in any route are answered as the document says, and never by 500', async (t) => {
  t.timeout(180_000);
  const seed = seedOf(t);
  const place = await newBadPlace(t);
  const { body: document } = await place.call('GET', '/openapi.json');
  const statuses = new Map<number, number>();
  for (const route of fuzzedRoutes(document)) {
    await fc.assert(
      fc.asyncProperty(requestsOf(route, place.ids), async ({ id, query, body }) => {
        const path = route.path.replaceAll(/\{[a-zA-Z]+\}/g, () => encoded(id) || '-');
        const asked = query.map((pair) => pair.map(encoded).join('=')).join('&');
        const sent = route.method === 'GET' ? {} : { body: JSON.stringify(body), headers: { prefer: 'wait=5' } };
        const answer = await place.call(route.method, asked === '' ? path : `${path}?${asked}`, sent);
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        if (answer.status >= 500 && answer.status !== 501 && answer.status !== 507) throw new Error(answer.text);
      }),
      { seed, numRuns: Number(process.env.VBS_RUNS ?? 40), endOnFailure: true },
    );
  }
  t.log(`answers by status: ${JSON.stringify([...statuses])}`);
  t.is((await place.call('GET', '/readyz')).status, 200);
  // A forced detach leaves the disk in a node that was said to be dead, and says so.
  const { differences } = (await place.call('POST', '/v1/reconcile')).body;
  t.deepEqual(
    differences.filter(({ kind }: { kind: string }) => kind !== 'device'),
    [],
  );
});

async function gauge({ call }: Pick<TestService, 'call'>, name: string): Promise<number> {
  const { text } = await call('GET', '/metrics');
  return Number(new RegExp(`^${name} ([0-9]+)$`, 'm').exec(text)?.[1]);
}

test('attack › 50 clients that send good and bad at once get an answer each, and what they made is there', async (t) => {
  t.timeout(120_000);
  const service = await newService(t, onlySocket);
  const client = async (n: number): Promise<void> => {
    const { body: made, status } = await service.call('POST', '/v1/volumes', { body: { size: MiB, comment: `of ${n}` } });
    t.is(status, 201);
    t.is((await service.call('POST', '/v1/volumes', { body: { size: -n } })).status, 400);
    t.is((await service.call('POST', `/v1/volumes/${made.id}/extend`, { body: '{"size":' })).status, 400);
    t.is((await service.call('POST', `/v1/volumes/${made.id}/extend`, { body: { size: 2 * MiB } })).status, 200);
    t.is((await service.call('DELETE', '/v1/volumes/vol-00000000000000000')).status, 404);
    if (n % 2 === 0) t.is((await service.call('DELETE', `/v1/volumes/${made.id}`)).status, 204);
  };
  await Promise.all(Array.from({ length: 50 }, (_, n) => client(n)));
  const { body: listed } = await service.call('GET', '/v1/volumes?limit=1000');
  t.is(listed.items.length, 25);
  t.true(
    listed.items.every(({ state, sizeBytes }: { state: string; sizeBytes: number }) => state === 'available' && sizeBytes === 2 * MiB),
  );
  t.deepEqual((await service.call('POST', '/v1/reconcile')).body.differences, []);
});

test('attack › clients that vanish in waits and streams leave nothing, and what they asked for is done', async (t) => {
  t.timeout(60_000);
  const service = await newService(t, onlySocket);
  const body = Buffer.from(JSON.stringify({ size: MiB }));
  const wires = Array.from({ length: 60 }, () => new Wire(service.port));
  t.teardown(() => {
    for (const wire of wires) wire.close();
  });
  for (const [n, wire] of wires.entries()) {
    const headers = [['Host', 'localhost']] as const;
    const length = [
      ['Content-Type', 'application/json'],
      ['Content-Length', String(body.length)],
      ['Prefer', 'wait=300'],
    ] as const;
    if (n % 2 === 0) wire.write(requestBytes({ method: 'POST', path: '/v1/volumes', headers: [...headers, ...length] }, body));
    else wire.write(requestBytes({ method: 'GET', path: '/v1/events?after=0', headers }));
  }
  await until('all are begun', async () => (await service.call('GET', '/v1/operations?limit=1000')).body.items.length === 30);
  for (const wire of wires) wire.close();
  await until('no wait is left', async () => (await gauge(service, 'vbs_http_waits')) === 0);
  await until('no stream is left', async () => (await gauge(service, 'vbs_event_streams')) === 0);
  await until('all are made', async () => (await service.call('GET', '/v1/volumes?state=available')).body.items.length === 30);
});

test('attack › as many idle connections as are allowed hold nobody up for longer than their limit', async (t) => {
  t.timeout(60_000);
  const service = await newService(t, { ...onlySocket, limits: { connections: 100, headersMs: 500, requestMs: 600 } });
  const wires = Array.from({ length: 150 }, () => new Wire(service.port));
  t.teardown(() => {
    for (const wire of wires) wire.close();
  });
  await Promise.all(wires.map((wire) => wire.rest()));
  t.is((await service.call('GET', '/v1/volumes')).status, 200);
  t.true((await gauge(service, 'vbs_http_dropped_connections_total')) >= 1);
});

test('attack › pages that are asked for and never read hold nobody else up', async (t) => {
  t.timeout(120_000);
  const service = await newService(t, onlySocket);
  const comment = 'x'.repeat(1_000);
  await Promise.all(Array.from({ length: 40 }, () => service.store.createVolume({ size: 512, comment }, { wait: true })));
  const wire = new Wire(service.port);
  t.teardown(() => wire.close());
  wire.readNothing();
  const page = requestBytes({ method: 'GET', path: '/v1/volumes?limit=1000', headers: [['Host', 'localhost']] });
  for (let n = 0; n < 500; n++) wire.write(page);
  t.is((await service.call('GET', '/v1/volumes?limit=1000')).body.items.length, 40);
  wire.close();
  t.is((await service.call('GET', '/healthz')).status, 200);
});

test('attack › a server killed under load answers repeats of keys with what they made, and leaks nothing', async (t) => {
  t.timeout(120_000);
  const directory = await newDirectory(t);
  const killed = startChild(t, child, directory);
  const { url } = await killed.said();
  const where = { host: '127.0.0.1', port: Number(new URL(String(url)).port) };
  const keyed = (n: number) => ({ 'content-type': 'application/json', 'idempotency-key': `key-${n}` });
  const body = (n: number): string => JSON.stringify({ size: MiB, comment: `of ${n}` });
  const made = new Map<number, string>();
  const client = async (n: number): Promise<void> => {
    const answer = await over(where, 'POST', '/v1/volumes', keyed(n), body(n)).catch(() => null);
    if (answer?.status === 201) made.set(n, (JSON.parse(answer.text) as { id: string }).id);
  };
  const clients = Array.from({ length: 60 }, async (_, n) => {
    await pause(n * 5);
    await client(n);
  });
  await until('some are made', () => made.size >= 10);
  killed.process.kill('SIGKILL');
  await Promise.all([...clients, killed.ended()]);
  const service = await newService(t, {}, directory);
  const ids = await Promise.all(
    Array.from({ length: 60 }, async (_, n) => {
      const again = await service.call('POST', '/v1/volumes', { body: body(n), headers: keyed(n) });
      t.is(again.status, 201, again.text);
      t.is(again.body.id, made.get(n) ?? again.body.id);
      return String(again.body.id);
    }),
  );
  t.is(new Set(ids).size, 60);
  const { body: listed } = await service.call('GET', '/v1/volumes?limit=1000');
  t.deepEqual(listed.items.map(({ id }: { id: string }) => id).sort(), ids.sort());
  t.true(listed.items.every(({ state }: { state: string }) => state === 'available'));
  t.deepEqual((await service.call('POST', '/v1/reconcile')).body.differences, []);
});
