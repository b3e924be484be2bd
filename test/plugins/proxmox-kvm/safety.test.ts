import { rename } from 'node:fs/promises';
import { VbsError } from '@vbs/core';
import test from 'ava';
import { call, makeFixture, request, testBy, ways, whySkipped } from './proxmox-fixture.js';

const uuid = '11111111-2222-4333-8444-555555555555';

for (const way of ways) {
  testBy(way)(
    `safety E3 › a VM number that names another VM by now: neither of its disks is touched (stand-in, by ${way})${whySkipped(way)}`,
    async (t) => {
      const { node, hypervisor } = await makeFixture(t, { way });
      const wanted = await request(hypervisor, node);
      await hypervisor.attachDevice(call(), wanted);
      node.world.destroy(100);
      node.world.create(100, { name: 'stranger' });
      const theirs = await request(hypervisor, node);
      t.not(theirs.vm, wanted.vm);
      await hypervisor.attachDevice(call(), theirs);
      const before = node.world.state();
      const other = await request(hypervisor, node, { vm: wanted.vm, slot: 'scsi2' });
      for (const act of [() => hypervisor.attachDevice(call(), other), () => hypervisor.identifyVm(call(), { vmId: wanted.vm })]) {
        t.is(((await t.throwsAsync(act(), { instanceOf: VbsError })) as VbsError).code, 'NOT_FOUND');
      }
      // The VM is gone, and no other has its disk.
      t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
      t.deepEqual(node.world.state(), before);
    },
  );

  testBy(way)(
    `safety E3 › a VM made anew with another UUID that still has the disk keeps it (stand-in, by ${way})${whySkipped(way)}`,
    async (t) => {
      const { node, hypervisor } = await makeFixture(t, { way });
      const wanted = await request(hypervisor, node);
      await hypervisor.attachDevice(call(), wanted);
      const config = node.world.load(100);
      config.current.set('smbios1', `base64=1,uuid=${uuid}`);
      node.world.save(100, config);
      const before = node.world.state();
      const error = (await t.throwsAsync(hypervisor.detachDevice(call(), wanted), { instanceOf: VbsError })) as VbsError;
      t.like(error, { code: 'FAILED_PRECONDITION', context: { vm: wanted.vm, holder: '100', slot: 'scsi1' } });
      t.deepEqual(node.world.state(), before);
      t.is((await hypervisor.identifyVm(call(), { vmId: '100' })).key, `100/${uuid}`);
    },
  );

  testBy(way)(`safety E3 › a slot under three names is one slot (stand-in, by ${way})${whySkipped(way)}`, async (t) => {
    const { node, hypervisor } = await makeFixture(t, { way });
    const names = ['scsi1', 'SCSI1', 'drive-scsi1'];
    const slots = await Promise.all(names.map(async (device) => (await hypervisor.canonicalSlot(call(), { vm: '100', device })).slot));
    t.deepEqual(new Set(slots), new Set(['scsi1']));
    const path = node.device();
    await node.machine.run(call(), ['qm', 'set', '100', '-scsi1', path]);
    const wanted = await request(hypervisor, node, { path });
    t.deepEqual(
      (await hypervisor.listDevices(call())).find(({ slot }) => slot === 'scsi1'),
      { vm: wanted.vm, slot: 'scsi1', source: { kind: 'block', path }, access: 'read-write', state: 'attached' },
    );
    const other = await request(hypervisor, node);
    const error = (await t.throwsAsync(hypervisor.attachDevice(call(), other), { instanceOf: VbsError })) as VbsError;
    t.like(error, { code: 'FAILED_PRECONDITION', context: { slot: 'scsi1' } });
    t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
  });

  testBy(way)(
    `safety E3 › a VM that rebooted or moved to another node between two calls (stand-in, by ${way})${whySkipped(way)}`,
    async (t) => {
      const { node, hypervisor } = await makeFixture(t, { way });
      const wanted = await request(hypervisor, node);
      await hypervisor.attachDevice(call(), wanted);
      node.world.stop(100);
      t.deepEqual(await hypervisor.identifyVm(call(), { vmId: wanted.vm }), { key: wanted.vm, running: false });
      node.world.start(100);
      await hypervisor.attachDevice(call(), wanted);
      t.is((await node.world.disk(100, 'scsi1').read(0, 512)).length, 512);
      t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
      await hypervisor.attachDevice(call(), wanted);
      node.world.migrate(100);
      for (const act of [() => hypervisor.attachDevice(call(), wanted), () => hypervisor.identifyVm(call(), { vmId: '100' })]) {
        t.is(((await t.throwsAsync(act(), { instanceOf: VbsError })) as VbsError).code, 'NOT_FOUND');
      }
      t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
    },
  );

  testBy(way)(
    `safety E3 › a slot that somebody fills between the look and the change is not replaced (stand-in, by ${way})${whySkipped(way)}`,
    async (t) => {
      const { node, hypervisor, server } = await makeFixture(t, { way });
      const wanted = await request(hypervisor, node);
      const theirs = node.device();
      const act = hypervisor.attachDevice(call(), wanted);
      // Before the first change arrives, whichever way it takes.
      const sneak = (): void => {
        const config = node.world.load(100);
        if (config.current.has('scsi1')) return;
        config.current.set('scsi1', `${theirs},size=1M`);
        node.world.save(100, config);
        node.world.plug(100, 'scsi1', theirs);
      };
      const plan = server?.faults ?? node.faults;
      const next = plan.next.bind(plan);
      plan.next = (line) => {
        if (/qm set|POST \/nodes/.test(line)) sneak();
        return next(line);
      };
      const error = (await t.throwsAsync(act, { instanceOf: VbsError })) as VbsError;
      t.like(error, { code: 'FAILED_PRECONDITION', context: { slot: 'scsi1', holds: theirs } });
      t.is(node.world.vm(100).plugged.get('scsi1')?.path, theirs);
    },
  );

  testBy(way)(
    `safety A5 › a busy guest keeps its disk, the request is taken back, and a later detach takes it out (stand-in, by ${way})${whySkipped(way)}`,
    async (t) => {
      const { node, hypervisor } = await makeFixture(t, { way });
      const wanted = await request(hypervisor, node, { slot: 'virtio1' });
      await hypervisor.attachDevice(call(), wanted);
      const letGo = node.world.hold(100, 'virtio1');
      const before = node.world.load(100).print();
      for (let time = 0; time < 2; time++) {
        t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'refused' });
        t.is(node.world.load(100).print(), before);
      }
      letGo();
      t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
      t.false(node.world.load(100).current.has('virtio1'));
    },
  );
}

test('safety A2 › a disk that a killed qm plugged in and did not write down is found, and taken out (stand-in)', async (t) => {
  const { node, hypervisor } = await makeFixture(t);
  const wanted = await request(hypervisor, node);
  const path = wanted.source.kind === 'block' ? wanted.source.path : '';
  const config = node.world.load(100);
  config.pending.set('scsi1', `${path},backup=0,size=1M`);
  node.world.save(100, config);
  node.world.plug(100, 'scsi1', path);
  t.like(
    (await hypervisor.listDevices(call())).find(({ slot }) => slot === 'scsi1'),
    { state: 'changing', source: wanted.source },
  );
  t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
  t.false(node.world.vm(100).plugged.has('scsi1'));
  t.false(node.world.load(100).pending.has('scsi1'));
});

test('safety D1 › without the file system of the cluster nothing is absent (stand-in)', async (t) => {
  const { node, hypervisor } = await makeFixture(t);
  const wanted = await request(hypervisor, node);
  await rename(node.machine.real('/etc/pve'), node.machine.real('/etc/pve-unmounted'));
  for (const act of [
    () => hypervisor.identifyVm(call(), { vmId: '100' }),
    () => hypervisor.listDevices(call()),
    () => hypervisor.attachDevice(call(), wanted),
    () => hypervisor.detachDevice(call(), wanted),
  ]) {
    t.is(((await t.throwsAsync(act(), { instanceOf: VbsError, message: /pve-cluster/ })) as VbsError).code, 'UNAVAILABLE');
  }
});

test('identifyVm › wants a UUID, unless the configuration says that numbers are kept (stand-in)', async (t) => {
  const { node, hypervisor, open } = await makeFixture(t);
  node.world.create(103, { uuid: null });
  const error = (await t.throwsAsync(hypervisor.identifyVm(call(), { vmId: '103' }), { message: /smbios1 uuid=/ })) as VbsError;
  t.is(error.code, 'FAILED_PRECONDITION');
  t.is((await t.throwsAsync<VbsError>(hypervisor.identifyVm(call(), { vmId: '103/' }))).code, 'NOT_FOUND');
  const { contract } = await open({ config: { identity: 'vmid' } });
  t.deepEqual(await contract.identifyVm(call(), { vmId: '103' }), { key: '103', running: true });
});

test('identifyVm › takes numbers of VMs alone (stand-in)', async (t) => {
  const { hypervisor } = await makeFixture(t);
  for (const vmId of ['vm100', '99', '0100', '1000000000', '100.conf', '10', '*', '100/', `100/${uuid}`, '100\n']) {
    t.is((await t.throwsAsync<VbsError>(hypervisor.identifyVm(call(), { vmId }))).code, 'NOT_FOUND', vmId);
  }
  t.false((await hypervisor.identifyVm(call(), { vmId: '102' })).running);
});
