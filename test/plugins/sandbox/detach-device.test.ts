import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import test from 'ava';
import { refuses } from './expect-code.js';
import { aCall, aSandbox, place } from './fixture.js';

test('detachDevice › takes the disk out with every byte written, and its export can go at once', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk();
  await hypervisor.attachDevice(aCall(), disk);
  const guest = vm('vm1').disk('xvdb');
  const bytes = randomBytes(4096);
  await guest.write(0, bytes);
  t.deepEqual(await hypervisor.detachDevice(aCall(), place(disk)), { result: 'detached' });
  await exports.exporter.deleteExport(aCall(), disk);
  t.true((await readFile(disk.path)).subarray(0, 4096).equals(bytes));
  t.deepEqual(vm('vm1').devices(), []);
  t.deepEqual(await hypervisor.listDevices(aCall()), []);
  await refuses(t, 'NOT_FOUND', guest.read(0, 1));
  t.throws(() => vm('vm1').disk('xvdb'), { message: /no disk xvdb/ });
});

test('detachDevice › of an absent disk, or of an absent VM whose disk nobody has, is success', async (t) => {
  const { exports, hypervisor } = await aSandbox(t);
  const disk = await exports.disk();
  await hypervisor.attachDevice(aCall(), disk);
  for (let time = 0; time < 2; time += 1) t.deepEqual(await hypervisor.detachDevice(aCall(), place(disk)), { result: 'detached' });
  t.deepEqual(await hypervisor.detachDevice(aCall(), { ...place(disk), vm: 'vm9' }), { result: 'detached' });
});

test('detachDevice › of an absent VM is refused while another VM has the disk', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk();
  await hypervisor.attachDevice(aCall(), disk);
  const error = await refuses(t, 'FAILED_PRECONDITION', hypervisor.detachDevice(aCall(), { ...place(disk), vm: 'vm9' }));
  t.is(error.context.vm, 'vm1');
  t.deepEqual(vm('vm1').devices(), ['xvdb']);
});

test('detachDevice › pulls a slot only if it holds this disk', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const [one, two] = [await exports.disk(), await exports.disk()];
  await hypervisor.attachDevice(aCall(), one);
  await refuses(t, 'FAILED_PRECONDITION', hypervisor.detachDevice(aCall(), place(two)));
  t.deepEqual(vm('vm1').devices(), ['xvdb']);
  await t.notThrowsAsync(vm('vm1').disk('xvdb').read(0, 1));
});

test('a busy guest › is asked, keeps the disk, and lets it go later without another call', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk();
  await hypervisor.attachDevice(aCall(), disk);
  await vm('vm1').hold('xvdb');
  for (let time = 0; time < 2; time += 1) t.deepEqual(await hypervisor.detachDevice(aCall(), place(disk)), { result: 'requested' });
  await vm('vm1').disk('xvdb').write(0, Buffer.from('late'));
  t.is((await hypervisor.listDevices(aCall())).length, 1);
  await refuses(t, 'FAILED_PRECONDITION', hypervisor.attachDevice(aCall(), disk));
  await vm('vm1').letGo('xvdb');
  t.deepEqual(await hypervisor.listDevices(aCall()), []);
  t.deepEqual(await hypervisor.detachDevice(aCall(), place(disk)), { result: 'detached' });
  t.is((await readFile(disk.path)).subarray(0, 4).toString(), 'late');
});

test('a busy guest › that lets go before it is asked keeps the disk until then', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk();
  await hypervisor.attachDevice(aCall(), disk);
  await vm('vm1').hold('xvdb');
  await vm('vm1').letGo('xvdb');
  t.deepEqual(vm('vm1').devices(), ['xvdb']);
  t.deepEqual(await hypervisor.detachDevice(aCall(), place(disk)), { result: 'detached' });
});

test('a busy guest › keeps the disk for good where the hypervisor takes the request back', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t, { withdraw: true });
  const disk = await exports.disk();
  await hypervisor.attachDevice(aCall(), disk);
  await vm('vm1').hold('xvdb');
  t.deepEqual(await hypervisor.detachDevice(aCall(), place(disk)), { result: 'refused' });
  await vm('vm1').letGo('xvdb');
  t.deepEqual(vm('vm1').devices(), ['xvdb']);
  await t.notThrowsAsync(hypervisor.attachDevice(aCall(), disk));
  t.deepEqual(await hypervisor.detachDevice(aCall(), place(disk)), { result: 'detached' });
});

test('a busy guest › lets go of what it was asked for when its VM stops', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const [asked, kept] = [await exports.disk('vm1', 'xvdb'), await exports.disk('vm1', 'xvdc')];
  for (const disk of [asked, kept]) {
    await hypervisor.attachDevice(aCall(), disk);
    await vm('vm1').hold(disk.slot);
  }
  await hypervisor.detachDevice(aCall(), place(asked));
  await vm('vm1').stop();
  t.deepEqual(vm('vm1').devices(), ['xvdc']);
});

test('an export that goes away › fails the guest’s requests, and detach still works', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const [gone, neighbour] = [await exports.disk('vm1', 'xvdb'), await exports.disk('vm1', 'xvdc')];
  for (const disk of [gone, neighbour]) await hypervisor.attachDevice(aCall(), disk);
  const guest = vm('vm1').disk('xvdb');
  await guest.write(0, Buffer.from('lost?'));
  await exports.exporter.revokeAccess(aCall(), gone);
  await refuses(t, 'UNAVAILABLE', guest.read(0, 1));
  await refuses(t, 'UNAVAILABLE', guest.write(0, Buffer.alloc(1)));
  await refuses(t, 'UNAVAILABLE', guest.flush());
  const listed = await hypervisor.listDevices(aCall());
  t.deepEqual(
    listed.map(({ slot, state }) => [slot, state]),
    [
      ['xvdb', 'changing'],
      ['xvdc', 'attached'],
    ],
  );
  await t.notThrowsAsync(vm('vm1').disk('xvdc').read(0, 1));
  t.deepEqual(await hypervisor.detachDevice(aCall(), place(gone)), { result: 'detached' });
  t.deepEqual(vm('vm1').devices(), ['xvdc']);
});

test('an export that goes away › and comes back is connected again by another attachDevice', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk();
  await hypervisor.attachDevice(aCall(), disk);
  const guest = vm('vm1').disk('xvdb');
  await guest.write(0, Buffer.from('here'));
  await guest.flush();
  const { exportId, volume, access, serial } = disk;
  await exports.exporter.revokeAccess(aCall(), disk);
  await refuses(t, 'UNAVAILABLE', guest.read(0, 4));
  await exports.exporter.deleteExport(aCall(), disk);
  await exports.exporter.createExport(aCall(), { exportId, volume, access, serial });
  await hypervisor.attachDevice(aCall(), disk);
  t.is((await guest.read(0, 4)).toString(), 'here');
});
