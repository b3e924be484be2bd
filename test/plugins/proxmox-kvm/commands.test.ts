import { Look, VbsError } from '@vbs/core';
import test from 'ava';
import { interceptedMachine } from '../../support/intercepted-machine.js';
import { notingMachine } from '../../support/noting-machine.js';
import { call, makeFixture, request } from './proxmox-fixture.js';

/** As the README has it, for Proxmox VE 1. */
const oldCommands = {
  attach: 'qm set <vmId> --<vmDev> <drive>',
  detach: 'qm set <vmId> --<vmDev> undef',
} as const;

test('every operation › runs the commands that the README lists, and no other (stand-in qm)', async (t) => {
  const { node, hypervisor } = await makeFixture(t);
  const wanted = await request(hypervisor, node);
  const path = wanted.source.kind === 'block' ? wanted.source.path : '';
  const commandsOf = async (act: () => Promise<unknown>): Promise<readonly string[]> => {
    const from = node.faults.ran.length;
    await act();
    return node.faults.ran.slice(from).map((line) => line.replace(/[0-9a-f]{40}/, 'SHA1'));
  };
  t.deepEqual(await commandsOf(() => hypervisor.identifyVm(call(), { vmId: '100' })), ['qm status 100']);
  t.deepEqual(await commandsOf(() => hypervisor.canonicalSlot(call(), { vm: '100', device: 'scsi1' })), []);
  const attach = `qm set 100 --scsi1 ${path},backup=0,cache=none,serial=${wanted.serial} --digest SHA1`;
  t.deepEqual(await commandsOf(() => hypervisor.attachDevice(call(), wanted)), [attach]);
  t.deepEqual(await commandsOf(() => hypervisor.attachDevice(call(), wanted)), []);
  t.deepEqual(await commandsOf(() => hypervisor.listDevices(call())), []);
  const letGo = node.world.hold(100, 'scsi1');
  const [detach, revert] = ['qm set 100 --delete scsi1 --digest SHA1', 'qm set 100 --revert scsi1 --digest SHA1'];
  t.deepEqual(await commandsOf(() => hypervisor.detachDevice(call(), wanted)), [detach, revert]);
  letGo();
  t.deepEqual(await commandsOf(() => hypervisor.detachDevice(call(), wanted)), [detach]);
  t.deepEqual(await commandsOf(() => hypervisor.detachDevice(call(), wanted)), []);
});

test('listDevices › is one look at the machine, however many VMs there are (stand-in)', async (t) => {
  const { node, open } = await makeFixture(t);
  for (let vmid = 200; vmid < 300; vmid++) node.world.create(vmid);
  const noting = notingMachine(node.machine);
  const { contract } = await open({ machine: noting.machine });
  t.deepEqual(await noting.acts(async () => t.true((await contract.listDevices(call())).length >= 100)), ['look']);
});

test('every operation › works with sudo in front of the commands (stand-in qm)', async (t) => {
  const { node, hypervisor } = await makeFixture(t, {
    commands: {
      status: 'env LANG=C qm status <vmId>',
      attach: 'env LANG=C qm set <vmId> -<vmDev> <drive> -digest <digest>',
      detach: 'env LANG=C qm set <vmId> -delete <vmDev> -digest <digest>',
    },
  });
  const wanted = await request(hypervisor, node);
  await hypervisor.attachDevice(call(), wanted);
  t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
});

test('every operation › with the patterns of version 1, stopped VMs get and give disks (stand-in of 2010)', async (t) => {
  const config = { hotplug: false, identity: 'vmid', configDirectory: '/etc/qemu-server' } as const;
  const { node, hypervisor, open } = await makeFixture(t, { version: 1, config, commands: oldCommands, withdraws: ['hotplug'] });
  t.false((await open()).capabilities.has('hotplug'));
  const wanted = await request(hypervisor, node, { vmid: 102 });
  t.is(wanted.vm, '102');
  for (let time = 0; time < 2; time++) await hypervisor.attachDevice(call(), wanted);
  t.like(
    (await hypervisor.listDevices(call())).find(({ vm, slot }) => vm === '102' && slot === 'scsi1'),
    { source: wanted.source, state: 'attached' },
  );
  node.world.start(102);
  t.is((await node.world.disk(102, 'scsi1').read(0, 512)).length, 512);
  t.deepEqual(await hypervisor.identifyVm(call(), { vmId: '102' }), { key: '102', running: true });
  const before = node.world.load(102).print();
  for (const act of [
    () => hypervisor.detachDevice(call(), wanted),
    async () => await hypervisor.attachDevice(call(), await request(hypervisor, node, { vmid: 102, slot: 'scsi2' })),
  ]) {
    t.like(await t.throwsAsync(act(), { instanceOf: VbsError }), { code: 'FAILED_PRECONDITION', context: { reason: 'running' } });
    t.is(node.world.load(102).print(), before);
  }
  node.world.stop(102);
  const other = await request(hypervisor, node, { vmid: 102 });
  t.like(await t.throwsAsync(hypervisor.attachDevice(call(), other), { instanceOf: VbsError }), { code: 'FAILED_PRECONDITION' });
  for (let time = 0; time < 2; time++) t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
  t.false(node.world.load(102).current.has('scsi1'));
});

test('check › names each thing that the node lacks (stand-in)', async (t) => {
  const { node, open } = await makeFixture(t);
  const opened = await open();
  t.deepEqual(await opened.check(call()), []);
  node.world.root = false;
  const faults = await opened.check(call());
  t.is(faults.length, 1);
  t.regex(faults[0] ?? '', /sudo -n/);
  const { contract } = await open({ config: { configDirectory: '/etc/elsewhere' } });
  t.regex((await (await open({ config: { configDirectory: '/etc/elsewhere' } })).check(call()))[0] ?? '', /\/etc\/elsewhere is not there/);
  t.like(await t.throwsAsync(contract.listDevices(call())), { code: 'UNAVAILABLE' });
});

test('listDevices › a configuration that may not be read is told, with the group that may (stand-in)', async (t) => {
  const { node, open } = await makeFixture(t);
  const folder = '/etc/pve/qemu-server';
  const fault = new VbsError('PERMISSION_DENIED', 'Cannot read it.');
  const look = async (): Promise<Look> =>
    new Look([
      [folder, null],
      [`${folder}/100.conf`, fault],
    ]);
  const opened = await open({ machine: interceptedMachine(node.machine, { look }) });
  const error = (await t.throwsAsync(opened.contract.listDevices(call()), { message: /www-data/ })) as VbsError;
  t.is(error.code, 'PERMISSION_DENIED');
  t.regex((await opened.check(call()))[0] ?? '', /www-data/);
});
