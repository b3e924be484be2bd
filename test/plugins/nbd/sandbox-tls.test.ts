import { join, relative } from 'node:path';
import { openBlockStore } from '@vbs/core';
import file from '@vbs/plugin-file';
import nbd from '@vbs/plugin-nbd';
import { createSandbox } from '@vbs/plugin-sandbox';
import type { ExecutionContext } from 'ava';
import { makeCertificates } from './certificates.js';
import { makeDirectory } from './server-fixture.js';
import { withTools } from './tools.js';

const test = withTools('openssl');

async function attachAndWrite(t: ExecutionContext, where: (directory: string) => object, clientKnown: boolean): Promise<string> {
  const [directory, made] = [await makeDirectory(t), await makeCertificates(t)];
  const path = (absolute: string): string => relative(process.cwd(), absolute);
  const server = { certificate: path(made.server.certificate), key: path(made.server.key), clientAuthority: path(made.authority) };
  const client = { certificate: path(made.client.certificate), key: path(made.client.key) };
  const sandbox = createSandbox();
  const store = await openBlockStore({
    database: { client: 'sqlite3', filename: join(directory, 'vbs.sqlite') },
    plugins: [file, nbd, sandbox.plugin],
    volumeServers: {
      vs1: {
        backends: { files: { plugin: 'file', directory: join(directory, 'volumes') } },
        exporters: { nbd: { plugin: 'nbd', ...where(directory), tls: server } },
      },
    },
    vmmNodes: {
      node1: {
        hypervisor: { plugin: 'sandbox', vms: { vm1: {} }, tls: { authority: path(made.authority), ...(clientKnown && client) } },
      },
    },
  });
  t.teardown(() => store.close());
  const { id } = await store.createVolume({ size: '4MiB' }, { wait: true });
  const attachment = await store.attachVolume({ volumeId: id, vmmHost: 'node1', vmId: 'vm1', device: 'xvdb' }, { wait: true });
  const disk = sandbox.vm('node1', 'vm1').disk('xvdb');
  await disk.write(0, Buffer.from('over TLS'));
  await disk.flush();
  t.is((await disk.read(0, 8)).toString(), 'over TLS');
  await store.detachVolume({ volumeId: id }, { wait: true });
  return String(attachment.connection && (attachment.connection as { uri?: string }).uri);
}

test('a sandbox VM › reaches its disk by mutual TLS, with relative paths of certificates', async (t) => {
  t.regex(await attachAndWrite(t, () => ({ port: 0 }), true), /^nbds:\/\/127\.0\.0\.1:/);
});

test('a sandbox VM › reaches its disk by mutual TLS over a Unix socket', async (t) => {
  t.regex(
    await attachAndWrite(t, (directory) => ({ socket: join(directory, 'nbd.sock') }), true),
    /^nbds\+unix:\/\/\/exp-[0-9a-f]+\?socket=/,
  );
});

test('a sandbox VM without a certificate › gets no disk where the server wants one', async (t) => {
  await t.throwsAsync(
    attachAndWrite(t, () => ({ port: 0 }), false),
    { code: 'UNAUTHENTICATED' },
  );
});
