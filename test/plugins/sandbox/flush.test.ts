/** What only the connection can tell: these tests stand in its flush, one at a time. */
import { setTimeout as pause } from 'node:timers/promises';
import { VbsError } from '@vbs/core';
import { NbdClient } from '@vbs/plugin-nbd/client';
import test, { type ExecutionContext } from 'ava';
import { refuses } from './expect-code.js';
import { aCall, aSandbox, MiB, place } from './fixture.js';

/** Counts the flushes; `fail` makes them fail as a server does whose medium is broken. */
function watchFlush(t: ExecutionContext) {
  const { flush } = NbdClient.prototype;
  const watch = { count: 0, fail: false };
  NbdClient.prototype.flush = function (this: NbdClient) {
    watch.count += 1;
    return watch.fail ? Promise.reject(new VbsError('INTERNAL', 'the medium failed')) : flush.call(this);
  };
  t.teardown(() => {
    NbdClient.prototype.flush = flush;
  });
  return watch;
}

test.serial('detachDevice › flushes before it disconnects', async (t) => {
  const { exports, hypervisor } = await aSandbox(t);
  const disk = await exports.disk();
  await hypervisor.attachDevice(aCall(), disk);
  const flushes = watchFlush(t);
  await hypervisor.detachDevice(aCall(), place(disk));
  t.is(flushes.count, 1);
});

test.serial('detachDevice › keeps the disk while its export refuses the flush, and the guest goes on', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk();
  await hypervisor.attachDevice(aCall(), disk);
  const flushes = watchFlush(t);
  flushes.fail = true;
  await refuses(t, 'INTERNAL', hypervisor.detachDevice(aCall(), place(disk)));
  t.deepEqual(vm('vm1').devices(), ['xvdb']);
  await t.notThrowsAsync(vm('vm1').disk('xvdb').write(0, Buffer.from('on')));
  flushes.fail = false;
  t.deepEqual(await hypervisor.detachDevice(aCall(), place(disk)), { result: 'detached' });
});

test.serial('freezeVm › flushes every disk, and does not stay when one cannot be flushed', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  for (const slot of ['xvdb', 'xvdc']) await hypervisor.attachDevice(aCall(), await exports.disk('vm1', slot));
  const flushes = watchFlush(t);
  await hypervisor.freezeVm(aCall(), { vm: 'vm1', limitMs: 60_000 });
  t.is(flushes.count, 2);
  await hypervisor.thawVm(aCall(), { vm: 'vm1' });
  flushes.fail = true;
  await refuses(t, 'INTERNAL', hypervisor.freezeVm(aCall(), { vm: 'vm1', limitMs: 60_000 }));
  await t.notThrowsAsync(vm('vm1').disk('xvdb').write(0, Buffer.from('on')));
});

test.serial('freezeVm › waits for the writes that have begun', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  await hypervisor.attachDevice(aCall(), await exports.disk());
  const { write } = NbdClient.prototype;
  t.teardown(() => {
    NbdClient.prototype.write = write;
  });
  const ended: string[] = [];
  NbdClient.prototype.write = async function (this: NbdClient, ...request) {
    await pause(100);
    await write.apply(this, request);
    ended.push('write');
  };
  const writing = vm('vm1').disk('xvdb').write(0, Buffer.from('begun'));
  await pause(20);
  await hypervisor.freezeVm(aCall(), { vm: 'vm1', limitMs: 60_000 });
  ended.push('freeze');
  await writing;
  t.deepEqual(ended, ['write', 'freeze']);
});

test.serial('extendDevice › flushes before it connects anew, and keeps the old connection when it cannot', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk('vm1', 'xvdb', { sizeBytes: 16 * MiB });
  const grown = { ...disk.volume, sizeBytes: 16 * MiB };
  const { connection } = disk.source as { connection: { uri: string } };
  const small = { ...disk, sizeBytes: 8 * MiB, exportId: 'exp-small' };
  await exports.exporter.createExport(aCall(), { ...small, volume: { ...disk.volume, sizeBytes: 8 * MiB } });
  const uri = connection.uri.replace(disk.exportId, 'exp-small');
  const source = { kind: 'connection', connection: { protocol: 'nbd', key: uri, uri } } as const;
  await hypervisor.attachDevice(aCall(), { ...small, source });
  await exports.exporter.extendExport(aCall(), { exportId: 'exp-small', volume: grown });
  const flushes = watchFlush(t);
  flushes.fail = true;
  const request = { ...place({ ...small, source }), sizeBytes: 16 * MiB };
  await refuses(t, 'INTERNAL', hypervisor.extendDevice(aCall(), request));
  t.is(vm('vm1').disk('xvdb').sizeBytes, 8 * MiB);
  await t.notThrowsAsync(vm('vm1').disk('xvdb').read(0, 1));
  flushes.fail = false;
  t.deepEqual(await hypervisor.extendDevice(aCall(), request), { sizeBytes: 16 * MiB });
});

test.serial('stop › ends the VM and its connections though a disk cannot be flushed, and says so', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  await hypervisor.attachDevice(aCall(), await exports.disk());
  const flushes = watchFlush(t);
  flushes.fail = true;
  await refuses(t, 'INTERNAL', vm('vm1').stop());
  t.false(vm('vm1').running);
  t.deepEqual((await exports.exporter.listExports(aCall()))[0]?.sessions, []);
});

test.serial('close › tells that a disk could not be flushed, when all VMs are down', async (t) => {
  const { exports, hypervisor } = await aSandbox(t);
  for (const vmId of ['vm1', 'vm2']) await hypervisor.attachDevice(aCall(), await exports.disk(vmId));
  const flushes = watchFlush(t);
  flushes.fail = true;
  await t.throwsAsync(async () => hypervisor.close?.(), { message: 'the medium failed' });
  t.is(flushes.count, 2);
  t.deepEqual(
    (await exports.exporter.listExports(aCall())).flatMap(({ sessions }) => sessions),
    [],
  );
});
