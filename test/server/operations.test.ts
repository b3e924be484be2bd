import { VbsError } from '@vbs/core';
import test from 'ava';
import { intercepting } from '../support/intercept.js';
import { gate, MiB } from '../support/store.js';
import { newServer, type ServerFixture } from './fixture.js';

/** A store whose backend does not extend volumes until `mend` is called; what is stuck rests until somebody asks for it. */
function sleeping(): { readonly options: ServerFixture; mend(): void } {
  let asleep = true;
  const options: ServerFixture = {
    overrides: { times: { pauseMs: () => 600_000 }, layers: { retry: { retries: 0, firstPauseMs: 1 } } },
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (asleep && method === 'extendVolume')
          throw new VbsError('UNAVAILABLE', 'the pool /srv/pool sleeps', { context: { stderr: 'top secret' } });
        return go();
      }),
  };
  return {
    options,
    mend: () => {
      asleep = false;
    },
  };
}

test('operations › one that is stuck is a problem, tells no files of the machine, and ends after a retry', async (t) => {
  const { options, mend } = sleeping();
  const { call, volume } = await newServer(t, options);
  const { id } = await volume(MiB);
  const stuck = await call('POST', `/v1/volumes/${id}/extend`, { body: { size: 2 * MiB } });
  t.is(stuck.status, 503);
  const operationId = String(stuck.headers['vbs-operation']);
  t.like(stuck.body, { code: 'UNAVAILABLE', retry: 'backoff', resource: id, context: { operationId } });
  t.truthy(stuck.body.context.remains);
  const shown = await call('GET', `/v1/operations/${operationId}`, { headers: { prefer: 'wait=60' } });
  t.like(shown.body, { state: 'stuck', kind: 'extend-volume', error: { code: 'UNAVAILABLE' } });
  for (const { text } of [stuck, shown]) t.notRegex(text, /srv|secret/);
  t.is((await call('GET', '/v1/operations?state=stuck')).body.items[0].id, operationId);
  const held = await call('DELETE', `/v1/volumes/${id}`);
  t.is(held.status, 409);
  t.like(held.body, { code: 'ABORTED', context: { operationId } });
  mend();
  t.is((await call('POST', `/v1/operations/${operationId}/retry`)).body.state, 'succeeded');
  const journal = await call('GET', `/v1/operations/${operationId}/journal`);
  t.true(journal.body.items.length > 1);
});

test('operations › one that is stuck can be abandoned, once', async (t) => {
  const { options } = sleeping();
  const { call, volume } = await newServer(t, options);
  const { id } = await volume(MiB);
  const { headers } = await call('POST', `/v1/volumes/${id}/extend`, { body: { size: 2 * MiB } });
  const path = `/v1/operations/${headers['vbs-operation']}`;
  t.is((await call('POST', `${path}/abandon`)).body.state, 'failed');
  t.is((await call('POST', `${path}/abandon`)).body.code, 'FAILED_PRECONDITION');
  t.is((await call('GET', `/v1/volumes/${id}`)).body.state, 'error');
  t.is((await call('POST', `/v1/volumes/${id}/reset-state`)).body.state, 'available');
});

test('operations › one that runs can be cancelled, and is listed by its resource', async (t) => {
  const held = gate();
  const { call, volume } = await newServer(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'createExport') await held.opened;
        return go();
      }),
  });
  const { id } = await volume(MiB);
  const begun = await call('POST', `/v1/volumes/${id}/attachments`, {
    body: { vmmHost: 'sandbox', vmId: 'vm1', device: 'xvdb' },
    headers: { prefer: 'respond-async' },
  });
  t.is((await call('POST', `/v1/operations/${begun.body.id}/cancel`)).status, 200);
  held.open();
  const ended = await call('GET', `/v1/operations/${begun.body.id}`, { headers: { prefer: 'wait=60' } });
  t.like(ended.body, { state: 'failed', error: { code: 'ABORTED' } });
  t.is((await call('GET', `/v1/operations?resourceId=${begun.body.resourceId}`)).body.items.length, 1);
});

test('snapshots › are taken, shown, listed and deleted', async (t) => {
  const { call, volume } = await newServer(t);
  const { id: volumeId } = await volume(MiB);
  const taken = await call('POST', '/v1/snapshots', { body: { volumeId, comment: 'before' } });
  t.is(taken.status, 201);
  t.like(taken.body, { state: 'completed', volumeId, comment: 'before' });
  t.deepEqual((await call('GET', String(taken.headers.location))).body, taken.body);
  t.is((await call('GET', '/v1/snapshots?state=completed')).body.items.length, 1);
  t.is((await call('DELETE', `/v1/snapshots/${taken.body.id}`)).status, 204);
  t.is((await call('GET', `/v1/snapshots/${taken.body.id}`)).status, 404);
});

test('store › pools, routes, checks and reconcile are told', async (t) => {
  const { call } = await newServer(t);
  t.like((await call('GET', '/v1/pools')).body.items[0], { backend: 'vs1/files', fault: null });
  t.deepEqual((await call('GET', '/v1/routes')).body.items, [
    { backend: 'vs1/files', vmmHost: 'sandbox', exporter: 'vs1/nbd', initiator: null, reason: null },
  ]);
  t.true((await call('GET', '/v1/checks')).body.items.every(({ ok }: { ok: boolean }) => ok));
  t.deepEqual((await call('POST', '/v1/reconcile')).body, { differences: [], unseen: [] });
  t.is((await call('POST', '/v1/reconcile', { body: { repair: true } })).status, 200);
  t.is((await call('POST', '/v1/reconcile', { body: { repair: 'yes' } })).body.context.field, 'repair');
});
