import test from 'ava';
import { intercepting } from '../support/intercept.js';
import { gate, MiB, until, vmmHost } from '../support/store.js';
import { newServer } from './fixture.js';

const soon = { Prefer: 'respond-async' } as const;

test('createVolume › answers 201 with the available volume, where it is, and its operation', async (t) => {
  const { call } = await newServer(t);
  const made = await call('POST', '/v1/volumes', { body: { size: '64MiB', comment: 'first' } });
  t.is(made.status, 201);
  t.like(made.body, { state: 'available', sizeBytes: 64 * MiB, comment: 'first', attachments: [] });
  t.is(made.headers.location, `/v1/volumes/${made.body.id}`);
  t.deepEqual((await call('GET', String(made.headers.location))).body, made.body);
  const operation = await call('GET', `/v1/operations/${made.headers['vbs-operation']}`);
  t.like(operation.body, { kind: 'create-volume', state: 'succeeded', resourceId: made.body.id });
});

test('createVolume › with respond-async answers 202 with the operation at once, while the backend still works', async (t) => {
  const held = gate();
  const { call } = await newServer(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'createVolume') await held.opened;
        return go();
      }),
  });
  const begun = await call('POST', '/v1/volumes', { body: { size: MiB }, headers: soon });
  t.is(begun.status, 202);
  t.is(begun.headers['preference-applied'], 'respond-async');
  t.is(begun.headers.location, `/v1/operations/${begun.body.id}`);
  t.is(begun.headers['vbs-operation'], begun.body.id);
  t.is(begun.body.state, 'running');
  held.open();
  const ended = await call('GET', `/v1/operations/${begun.body.id}`, { headers: { Prefer: 'wait=60' } });
  t.is(ended.body.state, 'succeeded');
  t.is(ended.headers['preference-applied'], 'wait=60');
});

test('createVolume › a wait that is over answers 202, and the operation goes on', async (t) => {
  const held = gate();
  const { call } = await newServer(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'createVolume') await held.opened;
        return go();
      }),
  });
  const begun = await call('POST', '/v1/volumes', { body: { size: MiB }, headers: { Prefer: 'wait=1' } });
  t.is(begun.status, 202);
  t.is(begun.headers['preference-applied'], 'wait=1');
  t.is((await call('GET', `/v1/operations/${begun.body.id}`, { headers: { Prefer: 'wait=1' } })).body.state, 'running');
  held.open();
  t.is((await call('GET', `/v1/operations/${begun.body.id}`, { headers: { Prefer: 'wait=60' } })).body.state, 'succeeded');
});

test('createVolume › from a snapshot answers the pending volume at once, and waits for its fill only when asked', async (t) => {
  const held = gate();
  const { call, volume } = await newServer(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'populateVolume' || method === 'cloneVolume') await held.opened;
        return go();
      }),
  });
  const { id: volumeId } = await volume(MiB);
  const snapshot = await call('POST', '/v1/snapshots', { body: { volumeId } });
  t.is(snapshot.status, 201);
  const body = { size: MiB, snapshotId: snapshot.body.id };
  const filling = await call('POST', '/v1/volumes', { body });
  t.is(filling.status, 201);
  t.is(filling.body.state, 'pending');
  const stillFilling = await call('POST', '/v1/volumes', { body, headers: { Prefer: 'wait=1' } });
  t.is(stillFilling.status, 201);
  t.is(stillFilling.body.state, 'pending');
  held.open();
  const filled = await call('POST', '/v1/volumes', { body, headers: { Prefer: 'wait=60' } });
  t.is(filled.status, 201);
  t.is(filled.body.state, 'available');
});

test('createVolume › a repeat with the same key answers what the first did, and other parameters are refused', async (t) => {
  const { call } = await newServer(t);
  const headers = { 'Idempotency-Key': 'order-4711' };
  const first = await call('POST', '/v1/volumes', { body: { size: MiB }, headers });
  const again = await call('POST', '/v1/volumes', { body: { size: MiB }, headers });
  t.is(again.status, first.status);
  t.deepEqual(again.body, first.body);
  t.is(again.headers['vbs-operation'], first.headers['vbs-operation']);
  const other = await call('POST', '/v1/volumes', { body: { size: 2 * MiB }, headers });
  t.is(other.status, 409);
  t.like(other.body, { code: 'ALREADY_EXISTS', resource: first.body.id });
  t.is((await call('GET', '/v1/volumes')).body.items.length, 1);
});

test('createVolume › a repeat of what was only begun, or failed, is answered with the same status', async (t) => {
  const { call } = await newServer(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'createVolume') throw Object.assign(new Error('nobody mapped this'), { path: '/secret/place' });
        return go();
      }),
  });
  const headers = { 'Idempotency-Key': 'one' };
  const failed = await call('POST', '/v1/volumes', { body: { size: MiB }, headers });
  t.is(failed.status, 500);
  t.is(failed.body.code, 'INTERNAL');
  t.notRegex(failed.text, /nobody mapped|secret/);
  const again = await call('POST', '/v1/volumes', { body: { size: MiB }, headers });
  t.is(again.status, 500);
  t.is(again.headers['vbs-operation'], failed.headers['vbs-operation']);
  const begun = await call('POST', '/v1/volumes', { body: { size: MiB }, headers: { 'Idempotency-Key': 'two', ...soon } });
  await call('GET', `/v1/operations/${begun.body.id}`, { headers: { Prefer: 'wait=60' } });
  const begunAgain = await call('POST', '/v1/volumes', { body: { size: MiB }, headers: { 'Idempotency-Key': 'two', ...soon } });
  t.deepEqual([begun.status, begunAgain.status], [202, 202]);
  t.is(begunAgain.body.id, begun.body.id);
});

test('createVolume › a client that goes away ends the waiting and not the operation', async (t) => {
  const held = gate();
  const begun = gate();
  const { app, store, metrics } = await newServer(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'createVolume') {
          begun.open();
          await held.opened;
        }
        return go();
      }),
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as { port: number };
  const gone = new AbortController();
  const request = fetch(`http://127.0.0.1:${port}/v1/volumes`, {
    method: 'POST',
    signal: gone.signal,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ size: MiB }),
  });
  await begun.opened;
  const waits = async () => /^vbs_http_waits (\d+)$/m.exec(await metrics.registry.metrics())?.[1];
  t.is(await waits(), '1');
  gone.abort();
  await t.throwsAsync(request, { any: true });
  await until('the wait has ended', async () => (await waits()) === '0');
  t.is((await store.describeVolumes()).items[0]?.state, 'pending');
  held.open();
  await until('the volume is available', async () => (await store.describeVolumes()).items[0]?.state === 'available');
});

test('describeVolumes › pages, states and ids', async (t) => {
  const { call, volume } = await newServer(t);
  const ids: string[] = [];
  for (let n = 0; n < 5; n++) ids.push((await volume(MiB)).id);
  const listed: string[] = [];
  let cursor = '';
  do {
    const { body } = await call('GET', `/v1/volumes?limit=2${cursor}`);
    t.true(body.items.length <= 2);
    listed.push(...body.items.map(({ id }: { id: string }) => id));
    cursor = body.nextCursor === null ? '' : `&cursor=${body.nextCursor}`;
  } while (cursor !== '');
  t.deepEqual(listed, ids);
  const picked = ids.slice(1, 4);
  for (const query of [`ids=${picked.join(',')}`, picked.map((id) => `ids=${id}`).join('&')])
    t.deepEqual(
      (await call('GET', `/v1/volumes?${query}`)).body.items.map(({ id }: { id: string }) => id),
      picked,
    );
  t.is((await call('GET', '/v1/volumes?state=available')).body.items.length, 5);
  t.is((await call('GET', '/v1/volumes?state=error')).body.items.length, 0);
});

test('deleteVolume › 204 when it is gone, 404 after that, 409 while it is attached', async (t) => {
  const { call, volume } = await newServer(t);
  const { id } = await volume(MiB);
  const place = { vmmHost, vmId: 'vm1', device: 'xvdb' };
  const attached = await call('POST', `/v1/volumes/${id}/attachments`, { body: place });
  t.is(attached.status, 201);
  const refused = await call('DELETE', `/v1/volumes/${id}`);
  t.is(refused.status, 409);
  t.like(refused.body, { code: 'FAILED_PRECONDITION', resource: id, retry: 'after-fix', context: { attachments: [attached.body.id] } });
  t.is((await call('DELETE', `/v1/volumes/${id}/attachments/${attached.body.id}`)).body.state, 'detached');
  t.is((await call('DELETE', `/v1/volumes/${id}`)).status, 204);
  const gone = await call('GET', `/v1/volumes/${id}`);
  t.is(gone.status, 404);
  t.like(gone.body, { code: 'NOT_FOUND', resource: id, context: { field: 'id' } });
});

test('attachVolume and detachVolume › show the connection without secrets, and end with and without a body', async (t) => {
  const { call, volume } = await newServer(t);
  const { id } = await volume(MiB);
  const attached = await call('POST', `/v1/volumes/${id}/attachments`, { body: { vmmHost, vmId: 'vm1', device: '/dev/xvdb' } });
  t.like(attached.body, { volumeId: id, state: 'attached', slot: 'xvdb', connection: { protocol: 'nbd' } });
  t.is((await call('GET', String(attached.headers.location))).body.id, attached.body.id);
  t.is((await call('GET', `/v1/attachments?volumeId=${id}&state=attached`)).body.items.length, 1);
  t.is((await call('GET', `/v1/volumes/${id}`)).body.attachments[0].id, attached.body.id);
  t.is((await call('POST', `/v1/volumes/${id}/detach`)).body.state, 'detached');
  await call('POST', `/v1/volumes/${id}/attachments`, { body: { vmmHost, vmId: 'vm2', device: 'xvdc' } });
  t.is((await call('POST', `/v1/volumes/${id}/detach`, { body: { force: true } })).body.state, 'detached');
  const notAttached = await call('POST', `/v1/volumes/${id}/detach`);
  t.is(notAttached.status, 409);
});

test('extendVolume › grows, and never shrinks', async (t) => {
  const { call, volume } = await newServer(t);
  const { id } = await volume(MiB);
  t.is((await call('POST', `/v1/volumes/${id}/extend`, { body: { size: '2MiB' } })).body.sizeBytes, 2 * MiB);
  const shrunk = await call('POST', `/v1/volumes/${id}/extend`, { body: { size: '1MiB' } });
  t.is(shrunk.status, 400);
  t.like(shrunk.body, { code: 'OUT_OF_RANGE', context: { field: 'size', leastBytes: 2 * MiB } });
});

test('resetState › is refused for a volume that is well', async (t) => {
  const { call, volume } = await newServer(t);
  const { id } = await volume(MiB);
  const refused = await call('POST', `/v1/volumes/${id}/reset-state`);
  t.is(refused.status, 409);
  t.is(refused.body.code, 'FAILED_PRECONDITION');
});
