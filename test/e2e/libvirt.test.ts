import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BlockStore } from '@vbs/core';
import { openStore } from '@vbs/core/internal/open-block-store.js';
import file from '@vbs/plugin-file';
import libvirt from '@vbs/plugin-libvirt';
import nbd from '@vbs/plugin-nbd';
import tgt from '@vbs/plugin-tgt';
import type { ExecutionContext } from 'ava';
import { freePort } from '../conformance/free-port.js';
import { endDaemons } from '../plugins/nbd/daemon-fixture.js';
import { TestDaemon } from '../plugins/tgt/tgt-fixture.js';
import { sharedGuests, withLibvirt } from '../support/libvirt/requirements.js';
import { newDirectory, refusal, sameBytes, shortTimes, silent, someBytes, until } from '../support/store.js';

const real = await withLibvirt('tgtd', 'tgtadm');
const { test, why } = real;
const guests = sharedGuests(real, 'vm1', 'vm2');
const run = promisify(execFile);
const MiB = 1024 * 1024;
const vmmHost = 'kvm1';
const device = 'vdb';

interface Road {
  readonly store: BlockStore;
  readonly directory: string;
  readonly daemon: TestDaemon;
}

/** A store on files, with a tgtd and an NBD server that outlive it, and this file's libvirt. */
/** The store may be putting an attachment back just then. */
const settled = { wait: true, ifBusy: 'wait' } as const;

async function newRoad(t: ExecutionContext, exporter: 'tgt' | 'nbd'): Promise<Road> {
  t.timeout(120_000);
  const directory = await newDirectory(t);
  t.teardown(takeDisksOut);
  t.teardown(() => endDaemons(directory));
  const daemon = new TestDaemon(directory, await freePort());
  t.teardown(() => daemon.kill());
  if (exporter === 'tgt') await daemon.start();
  const configuration = {
    database: { client: 'sqlite3', filename: join(directory, 'vbs.sqlite') },
    plugins: [file, nbd, tgt, libvirt],
    volumeServers: {
      vs1: {
        backends: { files: { plugin: 'file', directory: join(directory, 'pool') } },
        exporters: exporter === 'tgt' ? { tgt: { plugin: 'tgt', ...daemon.config } } : { nbd: { plugin: 'nbd', process: 'own', port: 0 } },
      },
    },
    vmmNodes: { [vmmHost]: { hypervisor: { plugin: 'libvirt', uri: guests().daemon.uri, releaseTimeoutSeconds: 2 } } },
  };
  const store = await openStore(configuration, { logger: silent }, { times: shortTimes });
  t.teardown(() => store.close());
  return { store, directory, daemon };
}

/** The disks of both VMs, now and at their next start. */
async function disks(): Promise<string> {
  const lists = ['vm1', 'vm2'].flatMap((vm) => [
    guests().daemon.virsh('domblklist', vm),
    guests().daemon.virsh('domblklist', vm, '--inactive'),
  ]);
  return (await Promise.all(lists)).join('').trim();
}

/** What a failed test has left in the guests, which the next one shares. */
async function takeDisksOut(): Promise<void> {
  for (const vm of ['vm1', 'vm2']) {
    for (const list of [['--persistent', '--live'], ['--config']]) {
      const inactive = list.includes('--config') ? ['--inactive'] : [];
      const left = [...(await guests().daemon.virsh('domblklist', vm, ...inactive)).matchAll(/^ *([sv]d[a-z]+) /gm)];
      for (const [, target = ''] of left) await guests().daemon.virsh('detach-disk', vm, target, ...list);
    }
  }
}

/** Everything that any process on this machine was started with. */
async function commandLines(): Promise<string> {
  return (await run('ps', ['-eo', 'args', '-ww'], { maxBuffer: 16 * MiB })).stdout;
}

const firstToSecond = (exporter: 'tgt' | 'nbd') =>
  test(`file › ${exporter} › libvirt › what one guest wrote is what another reads${why}`, async (t) => {
    const { store, directory } = await newRoad(t, exporter);
    const { id: volumeId } = await store.createVolume({ size: 4 * MiB }, settled);
    const written = someBytes(64 * 1024);

    await store.attachVolume({ volumeId, vmmHost, vmId: 'vm1', device }, settled);
    const first = await guests().disk('vm1', device);
    t.is(first.sizeBytes, 4 * MiB);
    await first.write(0, written);
    await first.write(4 * MiB - written.length, written);
    await store.detachVolume({ volumeId }, settled);
    t.is(await disks(), '');
    await t.throwsAsync(first.read(0, 4096), { message: /none/ });

    await store.attachVolume({ volumeId, vmmHost, vmId: 'vm2', device }, settled);
    const second = await guests().disk('vm2', device);
    sameBytes(t, Buffer.from(await second.read(0, written.length)), written);
    sameBytes(t, Buffer.from(await second.read(4 * MiB - written.length, written.length)), written);
    sameBytes(t, Buffer.from(await second.read(MiB, written.length)), Buffer.alloc(written.length));
    await store.detachVolume({ volumeId }, settled);
    t.is(await disks(), '');
    t.is((await guests().daemon.virsh('secret-list')).trim(), '');
    await store.deleteVolume({ volumeId }, settled);
    const left = await readdir(directory, { recursive: true });
    t.deepEqual(
      left.filter((name) => /libvirt\/./.test(name)),
      [],
      'files for virsh',
    );
    t.deepEqual((await store.reconcile()).differences, []);
  });
firstToSecond('tgt');
firstToSecond('nbd');

test(`safety A5 › a paused guest does not let go: the attachment is detaching, and detached by itself when the guest goes on${why}`, async (t) => {
  const { store } = await newRoad(t, 'tgt');
  const { id: volumeId } = await store.createVolume({ size: MiB }, settled);
  const { id } = await store.attachVolume({ volumeId, vmmHost, vmId: 'vm1', device }, settled);
  await guests().disk('vm1', device);
  await guests().daemon.virsh('suspend', 'vm1');
  try {
    const error = await refusal(t, store.detachVolume({ volumeId }, settled), 'FAILED_PRECONDITION');
    t.is(error.context.reason, 'guest-busy');
    t.is((await store.describeAttachments({ ids: [id] })).items[0]?.state, 'detaching');
    t.regex(await disks(), /vdb/, 'the guest has its disk');
    await refusal(t, store.deleteVolume({ volumeId }, settled), 'ABORTED');
  } finally {
    await guests().daemon.virsh('resume', 'vm1');
  }
  await untilLong('the attachment ends', async () => (await store.describeVolumes({ ids: [volumeId] })).items[0]?.state === 'available');
  t.is(await disks(), '');
  t.is((await guests().daemon.virsh('secret-list')).trim(), '');
});

test(`a guest that is shut down while it has a volume › lets it be detached, and starts without it${why}`, async (t) => {
  const { store } = await newRoad(t, 'tgt');
  const { id: volumeId } = await store.createVolume({ size: MiB }, settled);
  await store.attachVolume({ volumeId, vmmHost, vmId: 'vm1', device }, settled);
  const written = someBytes(4096);
  await (await guests().disk('vm1', device)).write(0, written);
  await guests().powerOff('vm1');
  try {
    t.regex(await guests().daemon.virsh('domblklist', 'vm1'), /vdb/, 'its definition names the disk');
    // It comes back with its disk, as a server would.
    await guests().start('vm1');
    sameBytes(t, Buffer.from(await (await guests().disk('vm1', device)).read(0, 4096)), written);
    await guests().powerOff('vm1');
    await store.detachVolume({ volumeId }, settled);
    t.is(await disks(), '');
  } finally {
    await guests().start('vm1');
  }
  await t.throwsAsync(guests().disk('vm1', device), { message: /no disk/ });
});

test(`safety F1 › tgtd is killed under a running guest: its write waits, and ends when the exports are made again${why}`, async (t) => {
  const { store, daemon } = await newRoad(t, 'tgt');
  const { id: volumeId } = await store.createVolume({ size: MiB }, settled);
  await store.attachVolume({ volumeId, vmmHost, vmId: 'vm1', device }, settled);
  const disk = await guests().disk('vm1', device);
  const written = someBytes(32 * 1024);
  await disk.write(0, written);
  await daemon.kill();
  let ended = false;
  const writing = disk.write(512 * 1024, written).then(() => {
    ended = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  t.false(ended, 'the write waits');
  await daemon.start();
  await writing;
  sameBytes(t, Buffer.from(await disk.read(512 * 1024, written.length)), written);
  sameBytes(t, Buffer.from(await disk.read(0, written.length)), written);
  await store.detachVolume({ volumeId }, settled);
});

test(`extendVolume › a guest sees its disk grow, over iSCSI${why}`, async (t) => {
  const { store } = await newRoad(t, 'tgt');
  const { id: volumeId } = await store.createVolume({ size: MiB }, settled);
  await store.attachVolume({ volumeId, vmmHost, vmId: 'vm1', device }, settled);
  const written = someBytes(4096);
  await (await guests().disk('vm1', device)).write(0, written);
  const { sizeBytes } = await store.extendVolume({ volumeId, size: 3 * MiB }, settled);
  t.is(sizeBytes, 3 * MiB);
  const disk = await guests().disk('vm1', device);
  t.is(disk.sizeBytes, 3 * MiB);
  await disk.write(3 * MiB - 4096, written);
  sameBytes(t, Buffer.from(await disk.read(0, 4096)), written);
  await store.detachVolume({ volumeId }, settled);
});

test(`safety E5 › the CHAP secret is not in the command line of the QEMU that uses it, nor in a log or an answer of libvirt${why}`, async (t) => {
  const { store, directory } = await newRoad(t, 'tgt');
  const { id: volumeId } = await store.createVolume({ size: MiB }, settled);
  const { id } = await store.attachVolume({ volumeId, vmmHost, vmId: 'vm1', device }, settled);
  const { password } = await store.attachmentCredentials(id);
  const secret = password.reveal();
  const forms = [secret, Buffer.from(secret).toString('base64')];
  const told = [await commandLines(), await guests().daemon.virsh('dumpxml', '--security-info', 'vm1'), await guests().daemon.logs()].join(
    '\n',
  );
  t.regex(told, /qemu-system/);
  for (const form of forms) t.false(told.includes(form));
  t.deepEqual(
    (await readdir(directory, { recursive: true })).filter((name) => /libvirt\/./.test(name)),
    [],
  );
  await store.detachVolume({ volumeId }, settled);
});

async function untilLong(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await until(what, isSo);
    } catch (error) {
      if (attempt === 6) throw error;
    }
  }
}
