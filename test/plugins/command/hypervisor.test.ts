import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttachDeviceRequest, OpenedInstance, VbsError } from '@vbs/core';
import commandPlugin from '@vbs/plugin-command';
import test, { type ExecutionContext } from 'ava';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import type { ToolResult, ToolRun } from '../../stand-ins/frame/tool.js';
import { ProxmoxWorld } from '../../stand-ins/proxmox/world.js';
import { call, openCommand } from '../../support/command/open-command.js';
import { readmeExample } from '../../support/command/readme-example.js';
import { Host, request } from '../xen/xen-fixture.js';

type Hypervisor = OpenedInstance<'hypervisor'>['contract'];

async function folder(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-command-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, 'root'));
  return directory;
}

async function openOn(
  t: ExecutionContext,
  machine: StandInMachine,
  directory: string,
  config: Record<string, unknown>,
): Promise<Hypervisor> {
  const opened = await openCommand(commandPlugin, 'hypervisor', directory, machine, { ...config, attachTimeoutSeconds: 0.05 });
  t.teardown(() => opened.close());
  return opened.contract;
}

async function xen(t: ExecutionContext, change: Record<string, unknown> = {}) {
  const directory = await folder(t);
  const host = new Host(directory);
  return { host, hypervisor: await openOn(t, host.machine, directory, { ...readmeExample('xen'), ...change }) };
}

async function proxmox(t: ExecutionContext, change: Record<string, unknown> = {}) {
  const directory = await folder(t);
  const root = join(directory, 'root');
  const world = new ProxmoxWorld(root);
  for (const vmid of [101, 102]) world.create(vmid);
  const machine = new StandInMachine({ root, stateDirectory: join(directory, 'state'), tools: world.tools });
  return { world, machine, hypervisor: await openOn(t, machine, directory, { ...readmeExample('proxmox'), ...change }) };
}

let drawn = 0;

function onProxmox(world: ProxmoxWorld, overrides: Partial<AttachDeviceRequest> = {}): AttachDeviceRequest {
  const path = `/dev/mapper/vbs-${++drawn}`;
  world.addDevice(path, 1_048_576);
  return {
    attachmentId: `att-${(1_000 + drawn).toString(16).padStart(17, '0')}`,
    vm: '101',
    slot: 'scsi1',
    source: { kind: 'block', path },
    access: 'read-write',
    sizeBytes: 1_048_576,
    serial: 'vol00000000000000001',
    ...overrides,
  };
}

test("the paper's commands are run as they stand in the configuration", async (t) => {
  const [first, second] = [await xen(t), await proxmox(t)];
  const [onXen, onQm] = [request(first.host, { access: 'read-only' }), onProxmox(second.world)];
  await first.hypervisor.attachDevice(call(), onXen);
  await second.hypervisor.attachDevice(call(), onQm);
  const path = ({ source }: AttachDeviceRequest): string => (source.kind === 'block' ? source.path : '');
  t.true(first.host.faults.ran.includes(`xl block-attach vm1 phy:${path(onXen)} xvdb r`));
  t.true(second.machine.faults.ran.includes(`qm set 101 -scsi1 ${path(onQm)}`));
});

test('attachDevice › puts options behind a path where the pattern has them, and none that the path brings', async (t) => {
  const { world, machine, hypervisor } = await proxmox(t, {
    attach: 'qm set <vmId> -<vmDev> <vmmDev>,ro=<mode>,serial=<serial>',
    mode: { 'read-write': '0', 'read-only': '1' },
    access: { '1': 'read-only', '0': 'read-write', '': 'read-write' },
    list: {
      run: 'qm pending <vmId>',
      lines: ['^(?<state>cur|new|del) (?<slot>(ide|sata|scsi|virtio)\\d+): (?<source>[^,]+)(.*,ro=(?<access>[01]))?'],
      ignore: ['^(cur|new|del) \\w+'],
    },
  });
  const wanted = onProxmox(world, { access: 'read-only' });
  await hypervisor.attachDevice(call(), wanted);
  const found = (await hypervisor.listDevices(call())).find(({ vm, slot }) => vm === '101' && slot === 'scsi1');
  t.deepEqual(found, { vm: '101', slot: 'scsi1', source: wanted.source, access: 'read-only', state: 'attached' });
  const before = machine.faults.ran.length;
  const evil = { ...wanted, slot: 'scsi2', source: { kind: 'block', path: '/dev/a,ro=0' } as const };
  await t.throwsAsync(hypervisor.attachDevice(call(), evil), { code: 'INVALID_ARGUMENT', message: /commas/ });
  t.is(machine.faults.ran.length, before);
});

test('attachDevice › a change that is only pending is no attached disk, and is taken back', async (t) => {
  const { world, hypervisor } = await proxmox(t);
  world.create(103, { hotplug: 'network' });
  const wanted = onProxmox(world, { vm: '103' });
  const before = world.state();
  const error = await t.throwsAsync<VbsError>(hypervisor.attachDevice(call(), wanted), { code: 'FAILED_PRECONDITION' });
  t.is(error?.context.reason, 'guest-busy');
  t.deepEqual(world.state(), before);
});

test('attachDevice › a guest that does not take the disk: it is taken back, and FAILED_PRECONDITION', async (t) => {
  const { host, hypervisor } = await xen(t);
  host.world.named('vm1').takes = false;
  const before = host.disks();
  await t.throwsAsync(hypervisor.attachDevice(call(), request(host)), { code: 'FAILED_PRECONDITION', message: /vm1 has not taken xvdb/ });
  t.deepEqual(host.disks(), before);
});

test('attachDevice › a guest that neither takes nor lets go: unknown, never FAILED_PRECONDITION (safety A2)', async (t) => {
  const { host, hypervisor } = await xen(t);
  host.world.pause('vm1');
  const wanted = request(host);
  await t.throwsAsync(hypervisor.attachDevice(call(), wanted), { code: 'DEADLINE_EXCEEDED', message: /neither taken xvdb nor let go/ });
  t.is(host.disks().length, 1);
  host.world.unpause('vm1');
  await hypervisor.attachDevice(call(), wanted);
  t.is((await host.world.disk('vm1', 'xvdb').read(0, 512)).length, 512);
});

test('attachDevice › the same source in another slot of the VM is refused', async (t) => {
  const { host, hypervisor } = await xen(t);
  const wanted = request(host);
  await hypervisor.attachDevice(call(), wanted);
  const error = await t.throwsAsync<VbsError>(hypervisor.attachDevice(call(), { ...wanted, slot: 'xvdc' }), {
    code: 'FAILED_PRECONDITION',
  });
  t.is(error?.context.holder, 'xvdb');
  t.is(host.disks().length, 1);
});

test('attachDevice › what the rules map is told by its code: a device that is not there, a user who may not', async (t) => {
  const { host, hypervisor } = await xen(t);
  await t.throwsAsync(hypervisor.attachDevice(call(), request(host, { path: '/dev/nosuch' })), {
    code: 'FAILED_PRECONDITION',
    message: /stat/,
  });
  host.world.root = false;
  await t.throwsAsync(hypervisor.attachDevice(call(), request(host)), { code: 'PERMISSION_DENIED' });
});

test('a domain id that now names another VM: the name decides, and nothing is pulled (safety E3)', async (t) => {
  const { host, hypervisor } = await xen(t);
  const { key } = await hypervisor.identifyVm(call(), { vmId: '1' });
  t.is(key, 'vm1');
  const wanted = request(host, { vm: key });
  await hypervisor.attachDevice(call(), wanted);
  host.world.destroy('vm1');
  host.world.start('stranger', 1);
  const strange = request(host, { vm: 'stranger' });
  await hypervisor.attachDevice(call(), strange);
  t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
  t.is((await host.world.disk('stranger', 'xvdb').read(0, 512)).length, 512);
});

test('a VM that was rebooted between two calls has its disks under the same name (safety E3)', async (t) => {
  const { host, hypervisor } = await xen(t);
  const wanted = request(host);
  await hypervisor.attachDevice(call(), wanted);
  host.world.reboot('vm1');
  await hypervisor.attachDevice(call(), wanted);
  t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
  t.deepEqual(host.disks(), []);
});

test('a VM whose name is a number is never taken for a domain id', async (t) => {
  const { host, hypervisor } = await xen(t);
  host.world.start('1', 7);
  t.is((await hypervisor.identifyVm(call(), { vmId: '1' })).key, 'vm1');
  await t.throwsAsync(hypervisor.attachDevice(call(), request(host, { vm: '1' })), { code: 'NOT_FOUND' });
});

test('identifyVm › reads names as xl prints them: with spaces and figures, longer than their column', async (t) => {
  const { host, hypervisor } = await xen(t);
  const names = ['a name with spaces 7 128', 'wrksp-4', 'long'.repeat(15), '9lives'];
  for (const name of names) host.world.start(name);
  for (const name of names) t.deepEqual(await hypervisor.identifyVm(call(), { vmId: name }), { key: name, running: true });
  await t.throwsAsync(hypervisor.identifyVm(call(), { vmId: 'Domain-0' }), { code: 'NOT_FOUND' });
  await hypervisor.attachDevice(call(), request(host, { vm: 'a name with spaces 7 128' }));
  t.is((await host.world.disk('a name with spaces 7 128', 'xvdb').read(0, 512)).length, 512);
});

test('identifyVm › a text that is the name of one VM and the alias of another is refused', async (t) => {
  const { world, hypervisor } = await proxmox(t);
  world.create(104, { name: '101' });
  await t.throwsAsync(hypervisor.identifyVm(call(), { vmId: '101' }), { code: 'FAILED_PRECONDITION', message: /101 means 101 and 104/ });
});

test('detachDevice › a tool that prints something else than it was configured for is no tool that says that nothing is there', async (t) => {
  const directory = await folder(t);
  let disks: ToolResult = { stdout: 'vm1 xvdb /dev/a\n' };
  let vms: ToolResult = { stdout: 'vm1\n' };
  const ran: string[] = [];
  const tools = {
    vms: () => vms,
    disks: () => disks,
    in: () => ({}),
    out: ({ args }: ToolRun): ToolResult => {
      ran.push(args.join(' '));
      return {};
    },
  };
  const machine = new StandInMachine({ root: join(directory, 'root'), stateDirectory: directory, tools });
  const hypervisor = await openOn(t, machine, directory, {
    identify: { run: 'vms', lines: ['^(?<vm>vm\\d)$'] },
    list: { run: 'disks', lines: ['^(?<vm>vm\\d) (?<slot>\\w+) (?<source>/.*)$', '^(?<vm>vm\\d) (?<slot>\\w+)$'] },
    attach: 'in <vmId> <vmDev> <vmmDev>',
    detach: 'out <vmId> <vmDev>',
    slots: [{ match: 'xvdb' }],
  });
  const wanted = { attachmentId: 'att-00000000000000001', vm: 'vm1', slot: 'xvdb', source: { kind: 'block', path: '/dev/a' } } as const;
  disks = { stdout: 'disk xvdb of vm1: /dev/a\n' };
  await t.throwsAsync(hypervisor.detachDevice(call(), wanted), { code: 'INTERNAL', message: /no rule explains/ });
  disks = { stdout: 'vm1 xvdb /dev/a\n' };
  vms = { stdout: 'domain vm1\n' };
  await t.throwsAsync(hypervisor.detachDevice(call(), wanted), { code: 'INTERNAL', message: /no rule explains/ });
  vms = { stdout: 'vm1\n' };
  disks = { stdout: 'vm1 xvdb\n' };
  await t.throwsAsync(hypervisor.detachDevice(call(), wanted), { code: 'FAILED_PRECONDITION', message: /does not tell what it is/ });
  disks = { stdout: 'vm1 xvdb /dev/a\nvm1 xvdb /dev/b\n' };
  await t.throwsAsync(hypervisor.detachDevice(call(), wanted), { code: 'FAILED_PRECONDITION', message: /does not tell what it is/ });
  t.deepEqual(ran, []);
  disks = { stdout: 'vm1 xvdb /dev/a\n' };
  t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'requested' });
  t.deepEqual(ran, ['vm1 xvdb']);
});

test('without hotplug disks come and go only while the VM is stopped', async (t) => {
  const { world, hypervisor } = await proxmox(t, { hotplug: false });
  await t.throwsAsync(hypervisor.attachDevice(call(), onProxmox(world)), { code: 'FAILED_PRECONDITION', message: /101 runs/ });
  world.stop(101);
  const wanted = onProxmox(world);
  await hypervisor.attachDevice(call(), wanted);
  world.start(101);
  await t.throwsAsync(hypervisor.detachDevice(call(), wanted), { code: 'FAILED_PRECONDITION' });
  world.stop(101);
  t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
});

test('canonicalSlot › rules that lead from one name to another are told, and never used', async (t) => {
  const { hypervisor } = await xen(t, { slots: [{ match: '51728', name: 'xvdb' }, { match: 'xvdc' }] });
  await t.throwsAsync(hypervisor.canonicalSlot(call(), { vm: 'vm1', device: '51728' }), {
    code: 'FAILED_PRECONDITION',
    message: /let a rule match xvdb/,
  });
});

test('a slot that names an option is a slot of the rules or nothing', async (t) => {
  const { world, machine, hypervisor } = await proxmox(t);
  for (const slot of ['delete', '-delete', '--delete', 'scsi1=/dev/x', 'memory', '']) {
    await t.throwsAsync(hypervisor.attachDevice(call(), onProxmox(world, { slot })), { code: 'INVALID_ARGUMENT' });
  }
  t.deepEqual(machine.faults.ran, []);
});
