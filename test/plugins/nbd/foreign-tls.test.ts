import type { ExecutionContext } from 'ava';
import { type Certificates, makeCertificates } from './certificates.js';
import { MiB } from './nbd-fixture.js';
import { makeServer, type ServerFixture } from './server-fixture.js';
import { run, withTools } from './tools.js';

async function secure(t: ExecutionContext, mutual: boolean): Promise<ServerFixture & { readonly made: Certificates }> {
  const made = await makeCertificates(t);
  const server = await makeServer(t, { tls: { ...made.server, ...(mutual && { clientAuthority: made.authority }), mode: 'required' } });
  await server.serve('exp-1', 8 * MiB);
  return Object.assign(Object.create(server) as ServerFixture, { made });
}

const nbdinfo = withTools('nbdinfo', 'openssl');
nbdinfo('nbdinfo over TLS › right certificates get in; the wrong authority, and none at all, do not', async (t) => {
  const { uri, made } = await secure(t, false);
  const size = async (folder: string): Promise<string> =>
    (await run('nbdinfo', ['--size', `${uri('exp-1')}?tls-certificates=${folder}`])).stdout.trim();
  t.is(await size(await made.folder(made.authority)), String(8 * MiB));
  await t.throwsAsync(size(await made.folder(made.otherAuthority)), { message: /certificate|TLS/i });
  await t.throwsAsync(run('nbdinfo', ['--size', uri('exp-1').replace('nbds:', 'nbd:')]), { message: /TLS|policy|required/i });
  const { uri: plain, serve } = await makeServer(t);
  await serve('exp-1', MiB);
  const folder = await made.folder(made.authority);
  await t.throwsAsync(run('nbdinfo', ['--size', `${plain('exp-1').replace('nbd:', 'nbds:')}?tls-certificates=${folder}`]), {
    message: /TLS/i,
  });
});

nbdinfo('nbdinfo over mutual TLS › the right client certificate gets in; a stranger’s, and none, do not', async (t) => {
  const { uri, made } = await secure(t, true);
  const size = async (folder: string): Promise<string> =>
    (await run('nbdinfo', ['--size', `${uri('exp-1')}?tls-certificates=${folder}`])).stdout.trim();
  t.is(await size(await made.folder(made.authority, made.client)), String(8 * MiB));
  await t.throwsAsync(size(await made.folder(made.authority, made.stranger)));
  await t.throwsAsync(size(await made.folder(made.authority)));
  t.is(await size(await made.folder(made.authority, made.client)), String(8 * MiB), 'and the server goes on');
});

nbdinfo('nbdinfo over TLS and a Unix socket › takes the certificate for localhost', async (t) => {
  const made = await makeCertificates(t);
  const { directory } = await makeServer(t);
  const { serve, uri } = await makeServer(t, { socket: `${directory}/s`, tls: made.server });
  await serve('exp-1', MiB);
  const folder = await made.folder(made.authority);
  t.is((await run('nbdinfo', ['--size', `${uri('exp-1')}&tls-certificates=${folder}`])).stdout.trim(), String(MiB));
});

const copy = withTools('nbdcopy', 'qemu-img', 'qemu-io', 'openssl');
copy('nbdcopy and qemu-io over mutual TLS › carry and verify what they wrote', async (t) => {
  const { uri, made, port, directory } = await secure(t, true);
  const folder = await made.folder(made.authority, made.client);
  const image = [
    `driver=raw,file.driver=nbd,file.server.type=inet,file.server.host=127.0.0.1,file.server.port=${port}`,
    'file.export=exp-1,file.tls-creds=tls0,file.tls-hostname=localhost',
  ].join(',');
  const creds = ['--object', `tls-creds-x509,id=tls0,endpoint=client,dir=${folder}`];
  const { stdout } = await run('qemu-io', [
    ...creds,
    '--image-opts',
    image,
    '-c',
    'write -P 0x3c 0 5M',
    '-c',
    'read -P 0x3c 0 5M',
    '-c',
    'read -P 0 5M 3M',
  ]);
  t.notRegex(stdout, /failed|error/i);
  const out = `${directory}/out`;
  await run('nbdcopy', [`${uri('exp-1')}?tls-certificates=${folder}`, out]);
  const check = await run('qemu-io', ['-f', 'raw', '-r', '-c', 'read -P 0x3c 0 5M', '-c', 'read -P 0 5M 3M', out]);
  t.is(check.stdout.match(/^read /gm)?.length, 2);
  t.notRegex(check.stdout, /failed/i);
});
