import type { Logger } from '@vbs/core';
import test from 'ava';
import { intercepting } from '../support/intercept.js';
import { gate, MiB, silent, vmmHost } from '../support/store.js';
import { checking, newServer } from './fixture.js';

test('healthz › answers without a look at anything', async (t) => {
  const { call, store } = await newServer(t);
  await store.close();
  const answer = await call('GET', '/healthz');
  t.is(answer.status, 200);
  t.deepEqual(answer.body, { status: 'ok' });
});

test('readyz › 200 when every instance is well, 503 and its name when one is not', async (t) => {
  let faults: readonly string[] = [];
  const { call } = await newServer(t, { plugin: checking(async () => faults) });
  const ready = await call('GET', '/readyz');
  t.is(ready.status, 200);
  t.true(ready.body.ready);
  faults = ['nbd misses /usr/lib/nbd/tool: install it'];
  const notReady = await call('GET', '/readyz');
  t.is(notReady.status, 503);
  t.false(notReady.body.ready);
  t.deepEqual(
    notReady.body.instances.filter(({ ok }: { ok: boolean }) => !ok),
    [{ instance: 'vs1/nbd', ok: false, faults: ['nbd misses (path): install it'] }],
  );
  t.is((await call('GET', '/v1/checks')).status, 200);
});

test('readyz › 503 within the limit when a check hangs, and when one throws', async (t) => {
  const held = gate();
  const hanging = await newServer(t, {
    limits: { checksMs: 50 },
    plugin: checking(async () => {
      await held.opened;
      return [];
    }),
  });
  const answer = await hanging.call('GET', '/readyz');
  t.is(answer.status, 503);
  t.regex(answer.text, /did not say within 50 ms/);
  held.open();
  const throwing = await newServer(t, {
    plugin: checking(async () => {
      throw new Error('broken');
    }),
  });
  t.is((await throwing.call('GET', '/readyz')).status, 503);
});

test('readyz › 503 while the store only reads', async (t) => {
  const { call } = await newServer(t, {
    plugin: (plugin) => intercepting(plugin, async ({ method, go }) => (method === 'markEpoch' ? { epoch: 1_000_000 } : go())),
  });
  const answer = await call('GET', '/readyz');
  t.is(answer.status, 503);
  t.regex(answer.text, /only reads/);
  const refused = await call('POST', '/v1/volumes', { body: { size: MiB } });
  t.is(refused.status, 409);
  t.is(refused.body.context.reason, 'older-than-pool');
});

test('metrics › tell operations, steps, calls, exports, pools and requests, each by a bounded name', async (t) => {
  const { call, volume } = await newServer(t);
  const { id } = await volume(MiB);
  await call('POST', `/v1/volumes/${id}/attachments`, { body: { vmmHost, vmId: 'vm1', device: 'xvdb' } });
  await call('GET', `/v1/volumes/${id}`);
  await call('GET', '/v1/nowhere/at-all');
  const { status, headers, text } = await call('GET', '/metrics');
  t.is(status, 200);
  t.regex(String(headers['content-type']), /^text\/plain/);
  for (const line of [
    /^vbs_operations_total\{kind="create-volume",result="succeeded"\} 1$/m,
    /^vbs_operation_duration_seconds_count\{kind="attach-volume",result="succeeded"\} 1$/m,
    /^vbs_step_duration_seconds_count\{kind="attach-volume",step="create-export",act="do",outcome="done"\} 1$/m,
    /^vbs_plugin_calls_total\{instance="vs1\/files",method="createVolume",code="OK"\} 1$/m,
    /^vbs_open_exports\{exporter="vs1\/nbd"\} 1$/m,
    /^vbs_pool_total_bytes\{backend="vs1\/files"\} \d+$/m,
    /^vbs_pool_provisioned_bytes\{backend="vs1\/files"\} 1048576$/m,
    /^vbs_http_requests_total\{method="GET",route="\/v1\/volumes\/:id",status="200"\} 1$/m,
    /^vbs_http_requests_total\{method="GET",route="none",status="404"\} 1$/m,
    /^vbs_http_request_duration_seconds_count\{method="POST",route="\/v1\/volumes\/:id\/attachments"\} 1$/m,
    /^vbs_nodejs_eventloop_lag_seconds /m,
    /^vbs_event_streams 0$/m,
  ])
    t.regex(text, line);
  t.false(text.includes(id), 'no ids among the labels');
  t.deepEqual(
    text.split('\n').filter((line) => line !== '' && !/^(# (HELP|TYPE) )?vbs_/.test(line)),
    [],
  );
});

test('metrics › a pool that hangs has no value then, and keeps nobody waiting', async (t) => {
  const held = gate();
  let hangs = false;
  const { call } = await newServer(t, {
    limits: { metricsMs: 3_000 },
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (hangs && method === 'getCapacity') await held.opened;
        return go();
      }),
  });
  t.regex((await call('GET', '/metrics')).text, /^vbs_pool_total_bytes\{/m);
  hangs = true;
  t.notRegex((await call('GET', '/metrics')).text, /^vbs_pool_total_bytes\{/m);
  held.open();
});

test('log › one line for each request, with route, status and operation, and no body', async (t) => {
  const lines: { fields: Record<string, unknown>; message: string }[] = [];
  const log: Logger = { ...silent, info: (fields, message) => lines.push({ fields: fields as Record<string, unknown>, message }) };
  const { call } = await newServer(t, { log });
  lines.length = 0;
  const { headers } = await call('POST', '/v1/volumes?', { body: { size: MiB, comment: 'hush' }, headers: { 'x-request-id': 'mine' } });
  const told = lines.filter(({ message }) => message === 'request');
  t.is(told.length, 1);
  t.like(told[0]?.fields, { requestId: 'mine', method: 'POST', route: '/v1/volumes', status: 201, operationId: headers['vbs-operation'] });
  t.false(JSON.stringify(told).includes('hush'));
});

test('docs › the page loads only what the server has, and the codes that problems refer to are there', async (t) => {
  const { call, app } = await newServer(t);
  const page = await call('GET', '/docs/');
  t.is(page.status, 200);
  t.regex(String(page.headers['content-security-policy']), /default-src 'none'.*script-src 'self';/);
  const links = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
  t.true(links.length > 3);
  for (const link of links) {
    t.notRegex(link, /^(https?:)?\/\//);
    t.is((await app.inject(new URL(link, 'http://localhost/docs/').pathname)).statusCode, 200, link);
  }
  const refused = await call('GET', '/v1/volumes/vol-1');
  const [path = '', anchor = ''] = refused.body.type.split('#');
  t.true((await app.inject(path)).payload.includes(`id="${anchor}"`));
});
