import { VbsError } from '@vbs/core';
import test from 'ava';
import { call, makeFixture, request, toolstacks } from './xen-fixture.js';

test('safety E3 › a domain id that names another VM by now: neither of its disks is touched (stand-in)', async (t) => {
  for (const [, commands] of toolstacks) {
    const { host, hypervisor } = await makeFixture(t, { commands });
    const { world } = host;
    const id = world.named('vm1').id;
    const { key } = await hypervisor.identifyVm(call(), { vmId: String(id) });
    t.is(key, 'vm1');
    const wanted = request(host, { vm: key });
    await hypervisor.attachDevice(call(), wanted);
    world.destroy('vm1');
    world.start('stranger', id);
    const theirs = request(host, { vm: 'stranger' });
    await hypervisor.attachDevice(call(), theirs);
    const before = host.disks();
    t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
    const error = (await t.throwsAsync(hypervisor.attachDevice(call(), wanted), { instanceOf: VbsError })) as VbsError;
    t.is(error.code, 'NOT_FOUND');
    t.deepEqual(host.disks(), before);
    t.is((await hypervisor.identifyVm(call(), { vmId: String(id) })).key, 'stranger');
    // The name, and not the id, goes to the tools.
    t.false(host.faults.ran.some((line) => new RegExp(`block-(attach|detach) ${id} `).test(line)));
  }
});

test('safety E3 › a slot under three names is one slot (stand-in)', async (t) => {
  for (const [tool, commands] of toolstacks) {
    const { host, hypervisor } = await makeFixture(t, { commands });
    const names = ['xvdb', '/dev/xvdb', '51728', '0xca10'];
    const slots = await Promise.all(names.map(async (device) => (await hypervisor.canonicalSlot(call(), { vm: 'vm1', device })).slot));
    t.deepEqual(new Set(slots), new Set(['xvdb']));
    // Somebody attached a disk by the number: it is in this slot all the same.
    const { path } = host.device();
    await host.machine.run(call(), [tool, 'block-attach', 'vm1', `phy:${path}`, '51728', 'w']);
    t.deepEqual(await hypervisor.listDevices(call()), [
      { vm: 'vm1', slot: 'xvdb', source: { kind: 'block', path }, access: 'read-write', state: 'attached' },
    ]);
    const error = (await t.throwsAsync(hypervisor.attachDevice(call(), request(host)), { instanceOf: VbsError })) as VbsError;
    t.like(error, { code: 'FAILED_PRECONDITION', context: { slot: 'xvdb' } });
    t.deepEqual(await hypervisor.detachDevice(call(), request(host, { path })), { result: 'detached' });
  }
});

test('safety E3 › a VM that rebooted or moved away between two calls (stand-in)', async (t) => {
  for (const [, commands] of toolstacks) {
    const { host, hypervisor } = await makeFixture(t, { commands });
    const { world } = host;
    const wanted = request(host);
    await hypervisor.attachDevice(call(), wanted);
    const old = world.named('vm1').id;
    world.reboot('vm1');
    t.not(world.named('vm1').id, old);
    await hypervisor.attachDevice(call(), wanted);
    t.like((await hypervisor.listDevices(call()))[0], { vm: 'vm1', slot: 'xvdb', source: wanted.source, state: 'attached' });
    t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
    await hypervisor.attachDevice(call(), wanted);
    // A migration leaves the source for a moment under another name, with its disks.
    world.rename('vm1', 'vm1--migratedaway');
    const error = (await t.throwsAsync(hypervisor.detachDevice(call(), wanted), { instanceOf: VbsError })) as VbsError;
    t.like(error, { code: 'FAILED_PRECONDITION', context: { vm: 'vm1', slot: 'xvdb' } });
    world.destroy('vm1--migratedaway');
    t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
    t.deepEqual(host.disks(), []);
  }
});

test('safety E3 › two domains of one name: none is touched (stand-in)', async (t) => {
  const { host, hypervisor } = await makeFixture(t);
  const wanted = request(host);
  await hypervisor.attachDevice(call(), wanted);
  host.world.start('vm1');
  for (const act of [
    () => hypervisor.identifyVm(call(), { vmId: 'vm1' }),
    () => hypervisor.attachDevice(call(), wanted),
    () => hypervisor.detachDevice(call(), wanted),
  ]) {
    const error = (await t.throwsAsync(act(), { instanceOf: VbsError })) as VbsError;
    t.is(error.code, 'FAILED_PRECONDITION');
  }
  t.is(host.disks().length, 1);
});

test('identifyVm › refuses names that xl would take for an id or an option, and Dom0 (stand-in)', async (t) => {
  const { host, hypervisor } = await makeFixture(t);
  const ids = ['12', '-f'].map((name) => host.world.start(name).id);
  for (const [vmId, code] of [
    [String(ids[0]), 'FAILED_PRECONDITION'],
    [String(ids[1]), 'FAILED_PRECONDITION'],
    ['-f', 'FAILED_PRECONDITION'],
    ['12', 'NOT_FOUND'],
    ['0', 'NOT_FOUND'],
    ['Domain-0', 'NOT_FOUND'],
    ['01', 'NOT_FOUND'],
  ] as const) {
    const error = (await t.throwsAsync(hypervisor.identifyVm(call(), { vmId }), { instanceOf: VbsError })) as VbsError;
    t.is(error.code, code, vmId);
  }
});

test('identifyVm › takes a domain id or a name for the same VM, paused or not (stand-in)', async (t) => {
  for (const [, commands] of toolstacks) {
    const { host, hypervisor } = await makeFixture(t, { commands });
    host.world.start('wrksp-4');
    host.world.pause('wrksp-4');
    for (const vmId of ['wrksp-4', '3']) t.deepEqual(await hypervisor.identifyVm(call(), { vmId }), { key: 'wrksp-4', running: true });
  }
});

test('listDevices › lists what others have attached, and takes nothing from what a guest writes (stand-in)', async (t) => {
  const { host, hypervisor } = await makeFixture(t);
  const { world } = host;
  const entry = '/local/domain/0/backend/vbd/2/51728';
  world.store.write(`/local/domain/2/data/note`, `"\n${entry}/params = "/dev/mine"\n${entry}/state = "4`);
  const attach = (vm: string, vdev: string, mode: string): Promise<unknown> =>
    host.machine.run(call(), ['xl', 'block-attach', vm, `phy:${host.device().path}`, vdev, mode]);
  await attach('vm1', 'xvda1', 'w');
  await attach('vm2', 'sdf', 'r');
  await attach('0', 'xvdb', 'w');
  world.store.write('/local/domain/0/backend/vbd/77/51728', { params: '/dev/orphan', mode: 'w', state: '5' });
  const listed = await hypervisor.listDevices(call());
  t.deepEqual(
    listed.map(({ vm, slot, access, state }) => [vm, slot, access, state]),
    [
      ['Domain-0', 'xvdb', 'read-write', 'attached'],
      ['vm1', 'xvda1', 'read-write', 'attached'],
      ['vm2', 'sdf', 'read-only', 'attached'],
      ['(domain 77)', 'xvdb', 'read-write', 'changing'],
    ],
  );
});
