import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { isVbsError } from '@vbs/core';
import { NbdClient, type NbdClientTls } from '@vbs/plugin-nbd/client';
import { encodeInfoRequest, encodeOption } from '@vbs/plugin-nbd/internal/protocol/options.js';
import type { TlsSettings } from '@vbs/plugin-nbd/internal/server/server-tls.js';
import type { ExecutionContext } from 'ava';
import { type Certificates, makeCertificates } from './certificates.js';
import { MiB, pattern } from './nbd-fixture.js';
import { RawClient } from './raw-client.js';
import { makeServer, type ServerFixture } from './server-fixture.js';
import { withTools } from './tools.js';

const test = withTools('openssl');
const opt = { exportName: 1, abort: 2, list: 3, starttls: 5, info: 6, go: 7, structuredReply: 8, setMetaContext: 10 };
const rep = { ack: 1, server: 2, errUnsup: 0x80000001, errPolicy: 0x80000002, errInvalid: 0x80000003, errTlsReqd: 0x80000005 };
const none = Buffer.alloc(0);

async function secureServer(
  t: ExecutionContext,
  tls: (made: Certificates) => Partial<TlsSettings> = () => ({}),
  settings: Parameters<typeof makeServer>[1] = {},
): Promise<ServerFixture & { readonly made: Certificates }> {
  const made = await makeCertificates(t);
  const server = await makeServer(t, { ...settings, tls: { ...made.server, ...tls(made) } });
  await server.serve('exp-1', 4 * MiB);
  return Object.assign(Object.create(server) as ServerFixture, { made });
}

async function refusal(t: ExecutionContext, uri: string, tls?: NbdClientTls): Promise<string> {
  const error = await t.throwsAsync(NbdClient.connect({ uri, ...(tls && { tls }) }));
  return isVbsError(error) ? error.code : String(error);
}

test('TLS › required: a client with the right authority reads and writes, and the URI says nbds', async (t) => {
  const { uri, made } = await secureServer(t);
  t.regex(uri('exp-1'), /^nbds:\/\/127\.0\.0\.1:\d+\/exp-1$/);
  const client = await NbdClient.connect({ uri: uri('exp-1'), tls: made.tls() });
  await client.write(5, pattern(1, 3 * MiB), { fua: true });
  t.true((await client.read(5, 3 * MiB)).equals(pattern(1, 3 * MiB)));
  t.is(await client.refreshSize(), 4 * MiB);
  await client.disconnect();
});

test('TLS › required: every option in the clear but STARTTLS and ABORT is answered TLS_REQD', async (t) => {
  const { port } = await secureServer(t);
  const client = await RawClient.connect(t, port);
  await client.greet();
  const go = encodeInfoRequest({ exportName: 'exp-1', types: [] });
  for (const [option, data] of [
    [opt.list, none],
    [opt.info, go],
    [opt.go, go],
    [opt.structuredReply, none],
    [opt.setMetaContext, Buffer.alloc(40)],
    [999, none],
  ] as const) {
    client.send(encodeOption(option, data));
    t.is((await client.optionReply()).type, rep.errTlsReqd, `option ${option}`);
  }
  client.send(encodeOption(opt.starttls, Buffer.alloc(1)));
  t.is((await client.optionReply()).type, rep.errInvalid);
  client.send(encodeOption(opt.abort, none));
  t.is((await client.optionReply()).type, rep.ack);
  t.true(await client.isDropped());
});

test('TLS › required: NBD_OPT_EXPORT_NAME in the clear ends the connection', async (t) => {
  const { port } = await secureServer(t);
  const client = await RawClient.connect(t, port);
  await client.greet();
  client.send(encodeOption(opt.exportName, Buffer.from('exp-1')));
  t.true(await client.isDropped());
});

test('TLS › allowed: clients get in with it and without', async (t) => {
  const { uri, port, made } = await secureServer(t, () => ({ mode: 'allowed' }));
  t.regex(uri('exp-1'), /^nbd:/);
  const clear = await NbdClient.connect({ uri: uri('exp-1') });
  const secure = await NbdClient.connect({ uri: `nbds://127.0.0.1:${port}/exp-1`, tls: made.tls() });
  await clear.write(0, Buffer.from('hello'));
  t.is((await secure.read(0, 5)).toString(), 'hello');
  await Promise.all([clear.disconnect(), secure.disconnect()]);
});

test('TLS › a client of the wrong authority, and one without TLS, refuse or are refused', async (t) => {
  const { uri, port, made } = await secureServer(t);
  t.is(await refusal(t, uri('exp-1'), made.tls(undefined, made.otherAuthority)), 'UNAUTHENTICATED');
  t.is(await refusal(t, uri('exp-1'), { ...made.tls(), serverName: 'elsewhere.example' }), 'UNAUTHENTICATED', 'the name counts');
  t.is(await refusal(t, `nbd://127.0.0.1:${port}/exp-1`), 'UNAUTHENTICATED');
  t.is(await refusal(t, uri('exp-1')), 'INVALID_ARGUMENT');
  const { port: plain } = await makeServer(t);
  t.is(await refusal(t, `nbds://127.0.0.1:${plain}/exp-1`, made.tls()), 'UNSUPPORTED');
});

test('TLS › with clientAuthority only clients with a certificate of it get in', async (t) => {
  const { uri, made } = await secureServer(t, ({ authority }) => ({ clientAuthority: authority }));
  const client = await NbdClient.connect({ uri: uri('exp-1'), tls: made.tls(made.client) });
  t.is((await client.read(0, 512)).length, 512);
  t.is(await refusal(t, uri('exp-1'), made.tls()), 'UNAUTHENTICATED');
  t.is(await refusal(t, uri('exp-1'), made.tls(made.stranger)), 'UNAUTHENTICATED');
  t.is((await client.read(0, 512)).length, 512, 'who is in stays');
  await client.disconnect();
});

test('TLS › versions below 1.2 are refused', async (t) => {
  const { port, made } = await secureServer(t);
  const raw = await RawClient.connect(t, port);
  await raw.greet();
  raw.send(encodeOption(opt.starttls, none));
  t.is((await raw.optionReply()).type, rep.ack);
  const secure = connectTls({
    socket: raw.socket,
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
    rejectUnauthorized: false,
    ciphers: 'ALL@SECLEVEL=0',
  });
  await t.throwsAsync(new Promise((resolve, reject) => secure.once('secureConnect', resolve).once('error', reject)));
  t.is((await NbdClient.list({ uri: `nbds://127.0.0.1:${port}/`, tls: made.tls() })).length, 1);
});

test('STARTTLS › bytes in the clear behind it end the connection: nobody on the way can put options before the client’s', async (t) => {
  const { port, made, log } = await secureServer(t);
  for (const injected of [encodeOption(opt.list, none), Buffer.from([1])]) {
    const client = await RawClient.connect(t, port);
    await client.greet();
    client.send(Buffer.concat([encodeOption(opt.starttls, none), injected]));
    t.true(await client.isDropped());
  }
  t.is(log.filter(({ message }) => message.includes('behind NBD_OPT_STARTTLS')).length, 2);
  const late = await RawClient.connect(t, port);
  await late.greet();
  late.send(encodeOption(opt.starttls, none));
  t.is((await late.optionReply()).type, rep.ack);
  late.send(encodeOption(opt.list, none));
  t.true(await late.isDropped(), 'and later ones are no handshake');
  t.is((await NbdClient.list({ uri: `nbds://127.0.0.1:${port}/`, tls: made.tls() })).length, 1);
});

test('STARTTLS › what was agreed on in the clear is forgotten', async (t) => {
  const { port } = await secureServer(t, () => ({ mode: 'allowed' }));
  const raw = await RawClient.connect(t, port);
  await raw.greet();
  raw.send(encodeOption(opt.structuredReply, none));
  t.is((await raw.optionReply()).type, rep.ack);
  const client = await raw.startTls();
  client.send(encodeOption(opt.setMetaContext, none));
  t.is((await client.optionReply()).type, rep.errInvalid, 'metadata contexts need structured replies');
  client.send(encodeOption(opt.starttls, none));
  t.is((await client.optionReply()).type, rep.errInvalid, 'TLS is on already');
  client.send(encodeOption(opt.go, encodeInfoRequest({ exportName: 'exp-1', types: [] })));
  await client.read(20 + 12 + 20);
  client.request(0, 0, 512);
  t.is((await client.reply()).error, 0, 'a simple reply');
});

test('a TLS handshake › that stalls or is garbage ends at the handshake limit, and others are served meanwhile', async (t) => {
  const { port, uri, made, server } = await secureServer(t, () => ({}), { handshakeTimeLimitMs: 1_000 });
  const stalled = await Promise.all(
    [none, Buffer.from([0x16, 3, 1]), Buffer.from('1603010200010001fc0303', 'hex'), Buffer.from('GET / HTTP/1.1\r\n\r\n')].map(
      async (bytes) => {
        const client = await RawClient.connect(t, port);
        await client.greet();
        client.send(encodeOption(opt.starttls, none));
        await client.optionReply();
        client.send(bytes);
        return client;
      },
    ),
  );
  const client = await NbdClient.connect({ uri: uri('exp-1'), tls: made.tls() });
  t.is((await client.read(0, 1)).length, 1);
  t.deepEqual(await Promise.all(stalled.map((one) => one.isDropped())), [true, true, true, true]);
  t.is((await client.read(0, 1)).length, 1);
  t.true(server.isListening);
  await client.disconnect();
});

test('tls › a file that is missing, no PEM, or a key that others may read is CONFIG_INVALID and names the field', async (t) => {
  const made = await makeCertificates(t);
  const { directory } = await makeServer(t);
  const text = join(directory, 'text');
  await writeFile(text, 'no certificate', { mode: 0o600 });
  const cases: readonly (readonly [Partial<TlsSettings>, string])[] = [
    [{ certificate: join(directory, 'missing') }, 'tls.certificate'],
    [{ certificate: text }, 'tls.certificate'],
    [{ key: text }, 'tls.key'],
    [{ key: made.client.key }, 'tls.key'],
    [{ clientAuthority: directory }, 'tls.clientAuthority'],
    [{ clientAuthority: text }, 'tls.clientAuthority'],
  ];
  for (const [wrong, field] of cases) {
    const error = await t.throwsAsync(makeServer(t, { tls: { ...made.server, ...wrong } }), { code: 'CONFIG_INVALID' }, field);
    t.is((error as unknown as { context: { field: string } }).context.field, field);
  }
  await chmod(made.server.key, 0o640);
  await t.throwsAsync(makeServer(t, { tls: made.server }), { code: 'CONFIG_INVALID', message: /chmod 600/ });
});
