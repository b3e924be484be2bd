import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import nbdPlugin, { type NbdConfig } from '@vbs/plugin-nbd';
import { isLoopback } from '@vbs/plugin-nbd/internal/loopback.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import test from 'ava';
import { call, instance, makeFixture, openExporter } from './nbd-fixture.js';

const { configSchema } = nbdPlugin.provides.targetExporter;

test('config.schema.json › is the schema of the manifest', async (t) => {
  const published = await readFile(new URL('../../../../plugins/nbd/config.schema.json', import.meta.url), 'utf8');
  t.deepEqual(JSON.parse(published), { ...configSchema });
});

const validated = test.macro({
  exec(t, config: object, legal: boolean) {
    t.is(new Ajv2020({ strict: true }).compile({ ...configSchema })(config), legal);
  },
  title: (_, config, legal) => `the schema › ${legal ? 'takes' : 'refuses'} ${JSON.stringify(config)}`,
});
test(validated, {}, true);
test(validated, { host: '::1', port: 0, maxConnections: 1, handshakeTimeLimitMs: 100, stallTimeLimitMs: 0 }, true);
test(validated, { port: 65_536 }, false);
test(validated, { port: '10809' }, false);
test(validated, { host: '' }, false);
test(validated, { maxConnections: 0 }, false);
test(validated, { stallTimeLimitMs: -1 }, false);
test(validated, { prot: 10809 }, false);

test('isLoopback › takes 127.0.0.0/8, ::1 and localhost alone', (t) => {
  for (const host of ['127.0.0.1', '127.255.1.2', '::1', '0:0:0:0:0:0:0:1', 'localhost', 'LOCALHOST']) t.true(isLoopback(host), host);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '128.0.0.1', 'example.org', '127.0.0.1.example.org', '', '127.1'])
    t.false(isLoopback(host), host);
});

test('open › refuses a host beyond loopback and names the field', async (t) => {
  const error = await t.throwsAsync(openExporter(instance({ host: '0.0.0.0', port: 0 }), call()), {
    code: 'CONFIG_INVALID',
    message: /"host".*127\.0\.0\.1/,
  });
  t.is((error as unknown as { context: { field: string } }).context.field, 'host');
});

test('open › a port in use is an error that names host, port and field, and the next free port works', async (t) => {
  const { port } = await makeFixture(t);
  const error = await t.throwsAsync(openExporter(instance({ port }), call()), {
    code: 'RESOURCE_EXHAUSTED',
    message: new RegExp(`port ${port} of 127\\.0\\.0\\.1 is in use.*"port"`),
  });
  t.deepEqual((error as unknown as { context: object }).context, { host: '127.0.0.1', port, errno: 'EADDRINUSE', field: 'port' });
});

test('open › listens on ::1 with a URI in brackets, where the machine has IPv6', async (t) => {
  const hasIpv6 = await new Promise<boolean>((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ host: '::1', port: 0 }, () => probe.close(() => resolve(true)));
  });
  const opened = openExporter(instance({ host: '::1', port: 0 } satisfies NbdConfig), call());
  if (hasIpv6) {
    const exporter = await opened;
    t.deepEqual(await exporter.check?.(call()), []);
    await exporter.close?.();
  } else await t.throwsAsync(opened, { code: 'UNAVAILABLE', message: /"host"/ });
});
