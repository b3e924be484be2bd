/** Lines that must not compile: each expected error is the mistake that the types catch. Nothing here runs. */
import { type Attachment, type BlockStore, openBlockStore, type Page, type Services, type Snapshot, type Volume } from '@vbs/core';
import file from '@vbs/plugin-file';
import nbd from '@vbs/plugin-nbd';
import { createSandbox } from '@vbs/plugin-sandbox';

const sandbox = createSandbox();

/** What an embedder writes: plugins as values, each instance's keys checked by its plugin's own types. */
export async function embed(): Promise<void> {
  await using store = await openBlockStore({
    database: { client: 'sqlite3', filename: 'vbs.sqlite' },
    plugins: [file, nbd, sandbox.plugin],
    volumeServers: {
      vs1: {
        backends: { files: { plugin: 'file', directory: 'pool', default: true, timeLimits: { createVolume: 1_000 } } },
        exporters: { nbd: { plugin: 'nbd', port: 0 } },
      },
    },
    vmmNodes: { here: { hostnames: ['here.example.org'], hypervisor: { plugin: 'sandbox', vms: { vm1: {}, vm2: { slots: 4 } } } } },
    resolvers: { cloud: { plugin: 'sandbox', instances: { 'i-1': { vmmHost: 'here', vmId: 'vm1' } } } },
  });
  const opened: BlockStore = store;
  const volume: Volume = await opened.createVolume({ size: '5GiB', comment: 'data' }, { wait: true, clientToken: 'x' });
  const snapshot: Snapshot = await opened.createSnapshot({ volumeId: volume.id }, { wait: true, signal: AbortSignal.timeout(1) });
  await opened.createVolume({ snapshotId: snapshot.id }, { onProgress: (done, total) => void (done + total) });
  const byHost: Attachment = await opened.attachVolume({
    volumeId: volume.id,
    vmmHost: 'here',
    vmId: 'vm1',
    device: 'xvdb',
    access: 'read-only',
  });
  await opened.attachVolume({ volumeId: volume.id, instanceId: 'i-1', device: 'xvdb' }, { ifBusy: 'wait', deadlineMs: 5_000 });
  const page: Page<Volume> = await opened.describeVolumes({ ids: [volume.id], state: 'in-use', limit: 10 });
  const cursor: string | null = page.nextCursor;
  for await (const { type, sequence } of opened.events({ after: 0 })) void `${type} ${sequence} ${cursor} ${byHost.slot}`;
  await opened.deleteVolume({ volumeId: volume.id });
}

// a file by its path, with services of the embedder's own
const clock: Services['clock'] = { now: () => 0 };
void openBlockStore('vbs.yaml', { clock, newId: () => 'uuid' });

// @ts-expect-error: a misspelt key of a plugin that is a value
void openBlockStore({ plugins: [file], volumeServers: { vs1: { backends: { files: { plugin: 'file', directry: 'pool' } } } } });
// @ts-expect-error: a port that is a text
void openBlockStore({ plugins: [nbd], volumeServers: { vs1: { exporters: { nbd: { plugin: 'nbd', port: '10809' } } } } });
// @ts-expect-error: a plugin that was not handed over
void openBlockStore({ plugins: [file], volumeServers: { vs1: { exporters: { nbd: { plugin: 'nbd', port: 0 } } } } });
// @ts-expect-error: a backend where an exporter belongs
void openBlockStore({ plugins: [file], volumeServers: { vs1: { exporters: { files: { plugin: 'file', directory: 'pool' } } } } });
// @ts-expect-error: a node without a hypervisor
void openBlockStore({ plugins: [sandbox.plugin], vmmNodes: { here: {} } });
// @ts-expect-error: a VM with a key that there is not
void openBlockStore({ plugins: [sandbox.plugin], vmmNodes: { here: { hypervisor: { plugin: 'sandbox', vms: { vm1: { cpus: 2 } } } } } });
// @ts-expect-error: no plugins
void openBlockStore({});
// @ts-expect-error: a service that an embedder may not replace
void openBlockStore('vbs.yaml', { journal: {} });

declare const store: BlockStore;
// @ts-expect-error: a misspelt field
void store.createVolume({ sise: '5GiB' });
// @ts-expect-error: an option that there is not
void store.createVolume({ size: '5GiB' }, { token: 'x' });
// @ts-expect-error: an id handed over bare
void store.deleteVolume('vol-0123456789abcdef0');
// @ts-expect-error: no device
void store.attachVolume({ volumeId: 'vol-0123456789abcdef0', vmmHost: 'here', vmId: 'vm1' });
// @ts-expect-error: an access that there is not
void store.attachVolume({ volumeId: 'vol-0123456789abcdef0', vmmHost: 'here', vmId: 'vm1', device: 'xvdb', access: 'rw' });
// @ts-expect-error: no size
void store.extendVolume({ volumeId: 'vol-0123456789abcdef0' });
// @ts-expect-error: ifBusy is abort or wait
void store.deleteVolume({ volumeId: 'vol-0123456789abcdef0' }, { ifBusy: 'ignore' });
// @ts-expect-error: a filter that there is not
void store.describeVolumes({ status: 'available' });
