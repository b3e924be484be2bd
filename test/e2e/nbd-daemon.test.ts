import { NbdClient } from '@vbs/plugin-nbd/client';
import test, { type ExecutionContext } from 'ava';
import { controlOf, endDaemons, greetingOf, kill } from '../plugins/nbd/daemon-fixture.js';
import { startChild } from '../support/child.js';
import { newDirectory, newStore, sameBytes, until, vmmHost } from '../support/store.js';
import { ownServer } from './nbd-daemon-configuration.js';

const program = new URL('nbd-daemon-child.js', import.meta.url);

/** A folder for a store, whose NBD server is ended with the test. */
async function directoryOf(t: ExecutionContext): Promise<string> {
  const directory = await newDirectory(t);
  t.teardown(() => endDaemons(directory));
  return directory;
}

async function serverOf(directory: string): Promise<number> {
  return (await greetingOf(controlOf(directory)))?.pid ?? -1;
}

test.beforeEach((t) => t.timeout(60_000));

test.serial(
  'F1 › the process of a store is killed: its exports serve on, and the next one puts the attachment back and detaches it',
  async (t) => {
    const directory = await directoryOf(t);
    const child = startChild(t, program, directory);
    const { volumeId, attachmentId, connection } = (await child.said()) as {
      volumeId: string;
      attachmentId: string;
      connection: { uri: string };
    };
    const pid = await serverOf(directory);
    child.process.kill('SIGKILL');
    await child.ended();

    // Nobody runs a store now, and the volume can be reached all the same.
    const client = await NbdClient.connect({ uri: connection.uri });
    sameBytes(t, await client.read(4096, 4096), Buffer.alloc(4096, 'flushed '));
    await client.disconnect();

    const { store, disk } = await newStore(t, { directory, configuration: ownServer(directory) });
    t.is(await serverOf(directory), pid, 'the same server');
    const [attachment] = (await store.describeAttachments({ ids: [attachmentId] })).items;
    t.is(attachment?.state, 'attached');
    t.deepEqual(attachment?.connection, connection as never);
    sameBytes(t, await disk('vm1', 'xvdb').read(4096, 4096), Buffer.alloc(4096, 'flushed '));
    await store.detachVolume({ volumeId }, { wait: true });
    t.is((await greetingOf(controlOf(directory)))?.exports, 0);
    await store.deleteVolume({ volumeId }, { wait: true });
  },
);

test.serial('F1 › the NBD server is killed: the store starts it again and makes its exports again under their connections', async (t) => {
  const directory = await directoryOf(t);
  const { store, volume } = await newStore(t, { directory, configuration: ownServer(directory) });
  const { id: volumeId } = await volume(1024 * 1024);
  const { connection } = await store.attachVolume({ volumeId, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  const { uri } = connection as unknown as { uri: string };
  const pid = await serverOf(directory);
  await kill(pid);
  await until('the export is there again', async () => ((await greetingOf(controlOf(directory)))?.exports ?? 0) === 1);
  t.not(await serverOf(directory), pid);
  const client = await NbdClient.connect({ uri });
  t.is(client.sizeBytes, 1024 * 1024);
  await client.disconnect();
});

test.serial('F1 › two processes of a store use one NBD server, and neither owns it', async (t) => {
  const directory = await directoryOf(t);
  const configuration = ownServer(directory);
  const vmmNodes = { [vmmHost]: { hypervisor: { plugin: 'sandbox', vms: { vm1: {} } } } };
  const first = await newStore(t, { directory, configuration: { ...configuration, vmmNodes } });
  const second = await newStore(t, { directory, configuration: { ...configuration, vmmNodes } });
  const { id: volumeId } = await first.volume(1024 * 1024);
  await first.store.attachVolume({ volumeId, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  const report = await second.store.reconcile();
  t.deepEqual(report.differences, []);
  t.false(
    report.unseen.some((instance) => JSON.stringify(instance).includes('vs1/nbd')),
    'the exporter was looked at from here too',
  );
});
