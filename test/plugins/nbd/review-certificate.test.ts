import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ServedCertificate } from '@vbs/plugin-nbd/internal/served-certificate.js';
import type { ExecutionContext } from 'ava';
import { call, instance, openExporter } from './nbd-fixture.js';
import { withTools } from './tools.js';

const test = withTools('openssl');
const run = promisify(execFile);
const day = 24 * 60 * 60 * 1000;

interface Pair {
  readonly certificate: string;
  readonly key: string;
}

async function makePair(t: ExecutionContext, days: number, name: string): Promise<Pair> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-nbd-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const pair = { certificate: join(directory, 'server.pem'), key: join(directory, 'server.key') };
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const made = ['-days', String(days), '-subj', '/CN=server', '-addext', `subjectAltName=${name}`];
  await run('openssl', ['req', '-x509', ...curve, ...made, '-keyout', pair.key, '-out', pair.certificate]);
  return pair;
}

async function checked(t: ExecutionContext, tls: Pair): Promise<readonly string[]> {
  const exporter = await openExporter(instance({ port: 0, tls }), call());
  t.teardown(() => exporter.close?.());
  return (await exporter.check?.(call())) ?? [];
}

test('check › a certificate that is valid and made out to the host is no fault', async (t) => {
  t.deepEqual(await checked(t, await makePair(t, 365, 'IP:127.0.0.1')), []);
});

test('check › a certificate that is not made out to the host is told: every client would refuse it', async (t) => {
  const faults = await checked(t, await makePair(t, 365, 'IP:10.9.9.9'));
  t.is(faults.length, 1);
  t.regex(faults[0] ?? '', /^vs1\/nbd: the certificate \S+, with .* is not made out to 127\.0\.0\.1, and clients refuse it/);
});

test('check › a certificate that expired, soon will, or is not valid yet is told, with what to do', async (t) => {
  const tls = await makePair(t, 365, 'IP:127.0.0.1');
  const certificate = await ServedCertificate.read({ tls, host: '127.0.0.1' });
  const told = (inDays: number) => certificate?.faults(Date.now() + inDays * day).join();
  t.is(told(0), '');
  t.is(told(350), '');
  t.regex(told(360) ?? '', /expires at .*: renew it, and start the NBD server again$/);
  t.regex(told(366) ?? '', /expired at .*, and clients refuse it: renew it/);
  t.regex(told(-1) ?? '', /is valid only from .*: look at the clock/);
});

test('check › a certificate that is made for a few days and renewed by a program is told only when it expired', async (t) => {
  const certificate = await ServedCertificate.read({ tls: await makePair(t, 7, 'IP:127.0.0.1'), host: '127.0.0.1' });
  t.deepEqual(certificate?.faults(), []);
  t.is(certificate?.faults(Date.now() + 8 * day).length, 1);
});
