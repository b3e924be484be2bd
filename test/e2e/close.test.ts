import { mkdir, readdir, readFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import type { Call } from '@vbs/core';
import test from 'ava';
import { startChild } from '../support/child.js';
import { intercepting } from '../support/intercept.js';
import { gate, MiB, newStore, refusal, sameBytes, someBytes, until, vmmHost } from '../support/store.js';

const program = new URL('store-child.js', import.meta.url);

const aborted = (signal: AbortSignal): Promise<unknown> =>
  signal.aborted ? Promise.resolve() : new Promise((resolve) => signal.addEventListener('abort', resolve));

async function timed(act: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await act();
  return performance.now() - begun;
}

test('close › lets go of a fill, which the next open takes on from its last synced offset', async (t) => {
  const synced = gate();
  const first = await newStore(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, call, go, request, again }) => {
        if (method !== 'populateVolume') return go();
        const half = new AbortController();
        const progress: Call['progress'] = (doneBytes, totalBytes) => {
          call.progress(doneBytes, totalBytes);
          half.abort();
        };
        await again({ ...call, signal: half.signal, progress }, request).catch(() => undefined);
        synced.open();
        await aborted(call.signal);
        throw call.signal.reason;
      }),
  });
  const size = 96 * MiB;
  const { id } = await first.volume(size);
  const bytes = someBytes(size);
  await first.writeTo(id, 0, bytes);
  const { id: snapshotId } = await first.store.createSnapshot({ volumeId: id }, { wait: true });
  const filling = first.store.createVolume({ snapshotId }, { wait: true });
  const told = refusal(t, filling, 'UNAVAILABLE');
  await synced.opened;
  const [pending] = (await first.store.describeVolumes({ state: 'pending' })).items;
  t.deepEqual(pending?.progress, { doneBytes: 32 * MiB, totalBytes: size });
  t.true((await timed(() => first.store.close())) < 10_000);
  t.regex((await told).message, /goes on at the next start/);

  const from: unknown[] = [];
  const second = await newStore(t, {
    directory: first.directory,
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, request, go }) => {
        if (method === 'populateVolume') from.push((request as { fromBytes: unknown }).fromBytes);
        return go();
      }),
  });
  const filled = pending?.id ?? '';
  await until('filled', async () => (await second.store.describeVolumes({ ids: [filled] })).items[0]?.state === 'available');
  t.deepEqual(from, [32 * MiB]);
  sameBytes(t, await second.readFrom(filled, 0, size), bytes);
});

test('close › lets go of an attach, which the next open takes back', async (t) => {
  const asked = gate();
  const first = await newStore(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, call, go }) => {
        if (method !== 'attachDevice') return go();
        asked.open();
        await aborted(call.signal);
        throw call.signal.reason;
      }),
  });
  const { id } = await first.volume(MiB);
  const attach = refusal(
    t,
    first.store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true }),
    'UNAVAILABLE',
  );
  await asked.opened;
  t.true((await timed(() => first.store.close())) < 10_000);
  await attach;
  const second = await newStore(t, { directory: first.directory });
  await until('available', async () => (await second.store.describeVolumes({ ids: [id] })).items[0]?.state === 'available');
  t.deepEqual(second.vm('vm1').devices(), []);
  t.deepEqual((await second.store.reconcile()).differences, []);
});

test('close › lets an operation end that needs a moment', async (t) => {
  const { store, directory } = await newStore(t, {
    overrides: { times: { drainMs: 3_000 } },
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'createVolume') await new Promise((resolve) => setTimeout(resolve, 200));
        return go();
      }),
  });
  const made = store.createVolume({ size: MiB }, { wait: true });
  await until('begun', async () => (await store.describeVolumes()).items.length === 1);
  await store.close();
  const { id } = await made;
  const again = await newStore(t, { directory });
  t.is((await again.store.describeVolumes({ ids: [id] })).items[0]?.state, 'available');
});

for (const method of ['createVolume', 'createExport', 'attachDevice']) {
  test(`close › ends within 10 s over a ${method} that hangs and hears no signal`, async (t) => {
    const hangs = gate();
    const { store, volume, directory } = await newStore(t, {
      closesBadly: true,
      // The times that an embedder has.
      overrides: { times: { drainMs: 2_000, leaveMs: 5_500, leaseMs: 3_000 } },
      plugin: (plugin) =>
        intercepting(plugin, async (call) => {
          if (call.method !== method || !hanging) return call.go();
          hangs.open();
          return new Promise(() => undefined);
        }),
    });
    let hanging = false;
    const { id } = await volume(MiB);
    hanging = true;
    const work =
      method === 'createVolume'
        ? store.createVolume({ size: MiB })
        : store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' });
    await work;
    await hangs.opened;
    const took = await timed(() => store.close().catch(() => undefined));
    t.true(took < 10_000, `${took} ms`);
    hanging = false;
    if (method !== 'createVolume') return;
    // The hung call keeps the lease until it runs out: its effect may still come (safety B2).
    const again = await newStore(t, { directory });
    await until('made', async () => (await again.store.describeVolumes({ state: 'available' })).items.length === 2);
  });
}

test('close › ends within 10 s over calls that hang in every kind of plugin at once', async (t) => {
  let hanging = 0;
  let open = false;
  const { store, volume } = await newStore(t, {
    closesBadly: true,
    overrides: { times: { drainMs: 2_000, leaveMs: 5_500 } },
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        const isAsked = open && (method === 'extendVolume' || method === 'attachDevice' || (method === 'createExport' && hanging > 1));
        if (!isAsked) return go();
        hanging += 1;
        return new Promise(() => undefined);
      }),
  });
  const volumes = [await volume(MiB), await volume(MiB), await volume(MiB)] as const;
  open = true;
  await store.extendVolume({ volumeId: volumes[0].id, size: 2 * MiB });
  await store.attachVolume({ volumeId: volumes[1].id, vmmHost, vmId: 'vm1', device: 'xvdb' });
  await until('two hang', () => hanging === 2);
  await store.attachVolume({ volumeId: volumes[2].id, vmmHost, vmId: 'vm2', device: 'xvdb' });
  await until('three hang', () => hanging === 3);
  const took = await timed(() => store.close().catch(() => undefined));
  t.true(took < 10_000, `${took} ms`);
});

test('close › takes no new work, at once and ever after; reading is UNAVAILABLE too once it has ended', async (t) => {
  const { store, volume } = await newStore(t);
  const { id } = await volume(MiB);
  const closing = store.close();
  await refusal(t, store.createVolume({ size: MiB }), 'UNAVAILABLE');
  await closing;
  await store.close();
  await refusal(t, store.createVolume({ size: MiB }, { wait: true }), 'UNAVAILABLE');
  await refusal(t, store.createVolume({ size: MiB }, { clientToken: 'x' }), 'UNAVAILABLE');
  await refusal(t, store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }), 'UNAVAILABLE');
  await refusal(t, store.detachVolume({ volumeId: id, force: true }), 'UNAVAILABLE');
  await refusal(t, store.deleteVolume({ volumeId: id }), 'UNAVAILABLE');
  await refusal(t, store.describeVolumes(), 'UNAVAILABLE');
  await refusal(t, store.describeVolumes({ ids: [id] }), 'UNAVAILABLE');
  await refusal(t, store.describeOperations(), 'UNAVAILABLE');
  await refusal(t, store.reconcile(), 'UNAVAILABLE');
  await refusal(
    t,
    store.waitForOperation('op-00000000000000000').then(() => undefined),
    'UNAVAILABLE',
  );
  t.true((await store.events()[Symbol.asyncIterator]().next()).done);
});

test('close › with a guest at its disk flushes and closes the export; what the guest writes then fails', async (t) => {
  const { store, volume, disk, directory } = await newStore(t);
  const { id } = await volume(MiB);
  const { connection } = await store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  const bytes = someBytes(MiB);
  const guest = disk('vm1', 'xvdb');
  await guest.write(0, bytes);
  await store.close();
  await t.throwsAsync(guest.write(0, Buffer.alloc(512)));
  const again = await newStore(t, { directory });
  sameBytes(t, await again.disk('vm1', 'xvdb').read(0, MiB), bytes);
  t.truthy(connection);
});

test('two stores in one process do not disturb each other', async (t) => {
  const [one, other] = await Promise.all([newStore(t), newStore(t)]);
  const [mine, theirs] = await Promise.all([one.volume(MiB), other.volume(MiB)]);
  await Promise.all([
    one.store.attachVolume({ volumeId: mine.id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true }),
    other.store.attachVolume({ volumeId: theirs.id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true }),
  ]);
  const [a, b] = [someBytes(MiB), someBytes(MiB)];
  await Promise.all([one.disk('vm1', 'xvdb').write(0, a), other.disk('vm1', 'xvdb').write(0, b)]);
  await refusal(t, one.store.describeVolumes({ ids: [theirs.id] }), 'NOT_FOUND');
  await one.store.close();
  sameBytes(t, await other.disk('vm1', 'xvdb').read(0, MiB), b);
  await other.store.detachVolume({ volumeId: theirs.id }, { wait: true });
  const again = await newStore(t, { directory: one.directory });
  sameBytes(t, await again.disk('vm1', 'xvdb').read(0, MiB), a);
});

test('SIGTERM › a program that closes the store in its handler ends by itself: flushed bytes are on disk, and nothing listens', async (t) => {
  const { directory } = await newStore(t);
  await mkdir(join(directory, 'child'));
  const child = startChild(t, program, join(directory, 'child'), 'serve');
  const { volumeId, connection } = await child.said();
  const { port } = connection as { port?: number };
  child.process.kill('SIGTERM');
  t.deepEqual(await child.said(), { closed: true });
  t.like(await child.ended(), { code: 0, signal: null });
  const found = await readVolume(join(directory, 'child', 'pool'), String(volumeId));
  t.true(found.subarray(4096, 8192).equals(Buffer.alloc(4096, 'flushed ')));
  if (port !== undefined) await t.throwsAsync(connectTo(port), { code: 'ECONNREFUSED' });
});

test('SIGKILL › bytes whose flush was acknowledged are there at the next open, and the attachment comes back', async (t) => {
  const { directory } = await newStore(t);
  await mkdir(join(directory, 'child'));
  const child = startChild(t, program, join(directory, 'child'), 'serve');
  const { volumeId } = await child.said();
  child.process.kill('SIGKILL');
  await child.ended();
  const { store, disk } = await newStore(t, { directory: join(directory, 'child') });
  await until('restored', async () => {
    const [volume] = (await store.describeVolumes({ ids: [String(volumeId)] })).items;
    return volume?.state === 'in-use' && volume.attachments[0]?.state === 'attached';
  });
  t.true((await disk('vm1', 'xvdb').read(4096, 4096)).equals(Buffer.alloc(4096, 'flushed ')));
});

async function readVolume(pool: string, volumeId: string): Promise<Buffer> {
  const name = (await readdir(join(pool, 'volumes'))).find((file) => file.includes(volumeId));
  return readFile(join(pool, 'volumes', name ?? ''));
}

function connectTo(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: '127.0.0.1', port }, () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}
