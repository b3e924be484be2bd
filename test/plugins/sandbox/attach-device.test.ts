import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import test from 'ava';
import { refuses } from './expect-code.js';
import { aCall, anInstance, aSandbox, MiB, place } from './fixture.js';

test('attachDevice › gives the VM a disk whose bytes go to the volume and come from it', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const there = randomBytes(4096);
  const disk = await exports.disk('vm1', 'xvdb', { first: there });
  await hypervisor.attachDevice(aCall(), disk);
  t.deepEqual(vm('vm1').devices(), ['xvdb']);
  const guest = vm('vm1').disk('/dev/xvdb');
  t.is(guest.sizeBytes, 8 * MiB);
  t.false(guest.readOnly);
  t.true((await guest.read(0, 4096)).equals(there));
  const bytes = randomBytes(3 * MiB + 512);
  await guest.write(MiB, bytes);
  await guest.flush();
  t.true((await guest.read(MiB, bytes.length)).equals(bytes));
  t.true((await readFile(disk.path)).subarray(MiB, MiB + bytes.length).equals(bytes));
});

test('attachDevice › is listed, by VM, slot, source and access', async (t) => {
  const { exports, hypervisor } = await aSandbox(t);
  const [one, two] = [await exports.disk('vm1', 'xvdc'), await exports.disk('vm2', 'xvdb', { access: 'read-only' })];
  await hypervisor.attachDevice(aCall(), one);
  await hypervisor.attachDevice(aCall(), two);
  t.deepEqual(await hypervisor.listDevices(aCall()), [
    { vm: one.vm, slot: one.slot, source: one.source, access: 'read-write', state: 'attached' },
    { vm: two.vm, slot: two.slot, source: two.source, access: 'read-only', state: 'attached' },
  ]);
});

test('attachDevice › asked again changes nothing', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk();
  await hypervisor.attachDevice(aCall(), disk);
  const guest = vm('vm1').disk('xvdb');
  await guest.write(0, Buffer.from('before'));
  await hypervisor.attachDevice(aCall(), disk);
  t.is((await guest.read(0, 6)).toString(), 'before');
  t.is((await exports.exporter.listExports(aCall()))[0]?.sessions?.length, 1);
  t.is((await hypervisor.listDevices(aCall())).length, 1);
});

test('attachDevice › refuses a slot that holds another disk, and leaves that disk alone', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const [one, two] = [await exports.disk(), await exports.disk()];
  await hypervisor.attachDevice(aCall(), one);
  const error = await refuses(t, 'FAILED_PRECONDITION', hypervisor.attachDevice(aCall(), two));
  t.is(error.context.slot, 'xvdb');
  await vm('vm1').disk('xvdb').write(0, Buffer.from('mine'));
  t.is((await readFile(one.path)).subarray(0, 4).toString(), 'mine');
});

test('attachDevice › lets one of two at once have the slot', async (t) => {
  const { exports, hypervisor } = await aSandbox(t);
  const disks = [await exports.disk(), await exports.disk()];
  const outcomes = await Promise.allSettled(disks.map((disk) => hypervisor.attachDevice(aCall(), disk)));
  t.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  const sessions = (await exports.exporter.listExports(aCall())).flatMap((each) => each.sessions);
  t.is(sessions.length, 1);
});

test('attachDevice › refuses a VM that the node does not have', async (t) => {
  const { exports, hypervisor } = await aSandbox(t);
  await refuses(t, 'NOT_FOUND', hypervisor.attachDevice(aCall(), await exports.disk('vm9')));
});

test('attachDevice › refuses a slot that no VM has', async (t) => {
  const { exports, hypervisor } = await aSandbox(t);
  await refuses(t, 'INVALID_ARGUMENT', hypervisor.attachDevice(aCall(), await exports.disk('vm1', 'xvda')));
});

test('attachDevice › refuses one export in two places', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk();
  await hypervisor.attachDevice(aCall(), disk);
  await refuses(t, 'FAILED_PRECONDITION', hypervisor.attachDevice(aCall(), { ...disk, vm: 'vm2' }));
  await refuses(t, 'FAILED_PRECONDITION', hypervisor.attachDevice(aCall(), { ...disk, slot: 'xvdc' }));
  t.deepEqual([vm('vm1').devices(), vm('vm2').devices()], [['xvdb'], []]);
});

test('attachDevice › refuses an export of another size, and stays connected to nothing', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk();
  const error = await refuses(t, 'FAILED_PRECONDITION', hypervisor.attachDevice(aCall(), { ...disk, sizeBytes: 4 * MiB }));
  t.is(error.context.sizeBytes, 8 * MiB);
  t.deepEqual(vm('vm1').devices(), []);
  await exports.exporter.deleteExport(aCall(), disk);
  t.deepEqual(await exports.exporter.listExports(aCall()), []);
});

test('attachDevice › refuses to write to an export that is read-only', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk('vm1', 'xvdb', { access: 'read-only' });
  await refuses(t, 'FAILED_PRECONDITION', hypervisor.attachDevice(aCall(), { ...disk, access: 'read-write' }));
  t.deepEqual(vm('vm1').devices(), []);
});

test('attachDevice › refuses what is no NBD export', async (t) => {
  const { exports, hypervisor } = await aSandbox(t);
  const disk = await exports.disk();
  const block = { kind: 'block', path: '/dev/vg0/lv0' } as const;
  const iscsi = {
    kind: 'connection',
    connection: {
      protocol: 'iscsi',
      portals: ['127.0.0.1:3260'],
      iqn: 'iqn.2026-11.test:a',
      lun: 1,
      serial: 'a',
      key: 'iqn.2026-11.test:a/1',
    },
  } as const;
  await refuses(t, 'UNSUPPORTED', hypervisor.attachDevice(aCall(), { ...disk, source: block }));
  await refuses(t, 'UNSUPPORTED', hypervisor.attachDevice(aCall(), { ...disk, source: iscsi }));
  for (const uri of ['', 'nbd://127.0.0.1', 'nbd://127.0.0.1/', 'http://127.0.0.1/x', 'nbd://127.0.0.1/%zz']) {
    const source = { kind: 'connection', connection: { protocol: 'nbd', key: uri, uri } } as const;
    await refuses(t, 'INVALID_ARGUMENT', hypervisor.attachDevice(aCall(), { ...disk, source }));
  }
});

test('attachDevice › tells an export that is not there, and leaves the slot free', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk();
  await exports.exporter.deleteExport(aCall(), disk);
  await refuses(t, 'NOT_FOUND', hypervisor.attachDevice(aCall(), disk));
  await exports.exporter.close?.();
  await refuses(t, 'UNAVAILABLE', hypervisor.attachDevice(aCall(), disk));
  t.deepEqual(vm('vm1').devices(), []);
});

test('attachDevice › cancelled before it acts changes nothing', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk();
  await refuses(t, 'ABORTED', hypervisor.attachDevice(aCall(AbortSignal.abort()), disk));
  t.deepEqual(vm('vm1').devices(), []);
  t.deepEqual((await exports.exporter.listExports(aCall()))[0]?.sessions, []);
});

test('attachDevice, detachDevice › act under the guard of the attachment', async (t) => {
  const { exports, hypervisor, guarded } = await aSandbox(t);
  const disk = await exports.disk();
  await hypervisor.attachDevice(aCall(), disk);
  await hypervisor.detachDevice(aCall(), place(disk));
  t.deepEqual(guarded, [disk.attachmentId, disk.attachmentId]);
});

test('a read-only disk › refuses the guest’s writes, by the exporter too', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk('vm1', 'xvdb', { access: 'read-only', first: Buffer.from('kept') });
  await hypervisor.attachDevice(aCall(), disk);
  const guest = vm('vm1').disk('xvdb');
  t.true(guest.readOnly);
  await refuses(t, 'PERMISSION_DENIED', guest.write(0, Buffer.from('lost')));
  await t.notThrowsAsync(guest.flush());
  t.is((await guest.read(0, 4)).toString(), 'kept');
});

test('a read-only disk › refuses the guest’s writes where the export would take them', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk();
  await hypervisor.attachDevice(aCall(), { ...disk, access: 'read-only' });
  await refuses(t, 'PERMISSION_DENIED', vm('vm1').disk('xvdb').write(0, Buffer.from('lost')));
  await refuses(t, 'FAILED_PRECONDITION', hypervisor.attachDevice(aCall(), disk));
  t.is((await readFile(disk.path)).subarray(0, 4).toString(), '\0\0\0\0');
});

test('a disk › has no bytes beyond its end', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  await hypervisor.attachDevice(aCall(), await exports.disk());
  const guest = vm('vm1').disk('xvdb');
  t.is((await guest.read(8 * MiB - 1, 1)).length, 1);
  for (const [offset, length] of [
    [8 * MiB, 1],
    [8 * MiB - 1, 2],
    [-1, 1],
    [0.5, 1],
    [0, -1],
    [Number.NaN, 1],
  ] as const) {
    await refuses(t, 'OUT_OF_RANGE', guest.read(offset, length));
  }
  await refuses(t, 'OUT_OF_RANGE', guest.write(8 * MiB - 1, Buffer.alloc(2)));
});

test('a disk › leaves its neighbours in the VM and in other VMs alone', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disks = [await exports.disk('vm1', 'xvdb'), await exports.disk('vm1', 'xvdc'), await exports.disk('vm2', 'xvdb')] as const;
  for (const disk of disks) await hypervisor.attachDevice(aCall(), disk);
  for (const { vm: vmId, slot } of disks)
    await vm(vmId)
      .disk(slot)
      .write(0, Buffer.from(`${vmId}/${slot}`));
  await hypervisor.detachDevice(aCall(), place(disks[0]));
  t.deepEqual([vm('vm1').devices(), vm('vm2').devices()], [['xvdc'], ['xvdb']]);
  t.is((await vm('vm1').disk('xvdc').read(0, 8)).toString(), 'vm1/xvdc');
  t.is((await vm('vm2').disk('xvdb').read(0, 8)).toString(), 'vm2/xvdb');
});

test('createSandbox › finds a VM only while its hypervisor is open, and never guesses between two stores', async (t) => {
  const { sandbox, hypervisor, vm } = await aSandbox(t);
  t.throws(() => sandbox.vm('elsewhere', 'vm1'), { message: /elsewhere/ });
  t.throws(() => vm('vm9'), { message: /vm9/ });
  const second = await sandbox.plugin.provides.hypervisor.open(anInstance('sandbox/hypervisor', { vms: { vm1: {} } }), aCall());
  t.throws(() => vm('vm1'), { message: /Two stores/ });
  await hypervisor.close?.();
  t.deepEqual(vm('vm1').devices(), []);
  await second.close?.();
  t.throws(() => vm('vm1'), { message: /No sandbox is open/ });
});
