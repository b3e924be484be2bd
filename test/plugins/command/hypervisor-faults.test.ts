import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AttachDeviceRequest, errorTable, VbsError } from '@vbs/core';
import commandPlugin from '@vbs/plugin-command';
import test, { type ExecutionContext } from 'ava';
import type { Tools } from '../../stand-ins/frame/tool.js';
import { ProxmoxWorld } from '../../stand-ins/proxmox/world.js';
import { type CommandFault, commandFaults, DyingMachine } from '../../support/command/dying-machine.js';
import { call, openCommand } from '../../support/command/open-command.js';
import { readmeExample } from '../../support/command/readme-example.js';
import { Host, request } from '../xen/xen-fixture.js';

/** A node with a VM, a neighbour's disk, and what a test needs to look at it from outside. */
interface Node {
  readonly root: string;
  readonly tools: Tools;
  readonly state: () => readonly string[];
  readonly request: () => AttachDeviceRequest;
  readonly neighbour: AttachDeviceRequest;
  readonly read: (request: AttachDeviceRequest) => Promise<Buffer>;
}

const nodes: Readonly<Record<'xen' | 'proxmox', (directory: string) => Node>> = {
  xen: (directory) => {
    const host = new Host(directory);
    return {
      root: host.root,
      tools: host.world.tools,
      state: () => host.disks().toSorted(),
      request: () => request(host),
      neighbour: request(host, { vm: 'vm2' }),
      read: ({ vm, slot }) => host.world.disk(vm, slot).read(0, 512),
    };
  },
  proxmox: (directory) => {
    const root = join(directory, 'root');
    const world = new ProxmoxWorld(root);
    for (const vmid of [101, 102]) world.create(vmid);
    let drawn = 0;
    const make = (vm: string): AttachDeviceRequest => {
      const path = `/dev/mapper/vbs-${++drawn}`;
      world.addDevice(path, 1_048_576);
      return {
        attachmentId: `att-${(2_000 + drawn).toString(16).padStart(17, '0')}`,
        vm,
        slot: 'scsi1',
        source: { kind: 'block', path },
        access: 'read-write',
        sizeBytes: 1_048_576,
        serial: 'vol00000000000000001',
      };
    };
    return {
      root,
      tools: world.tools,
      state: () => world.state(),
      request: () => make('101'),
      neighbour: make('102'),
      read: ({ vm, slot }) => world.disk(Number(vm), slot).read(0, 512),
    };
  },
};

type Road = 'attachDevice' | 'attachDevice, given up and undone' | 'detachDevice';
const roads: readonly Road[] = ['attachDevice', 'attachDevice, given up and undone', 'detachDevice'];
const mostCommands = 15;

async function openNode(t: ExecutionContext, directory: string, machine: DyingMachine, example: 'xen' | 'proxmox') {
  const config = { ...readmeExample(example), attachTimeoutSeconds: 0.05 };
  const opened = await openCommand(commandPlugin, 'hypervisor', directory, machine, config);
  t.teardown(() => opened.close());
  return opened.contract;
}

const meets = test.macro<['xen' | 'proxmox', Road, CommandFault]>(async (t, example, road, fault) => {
  t.timeout(120_000);
  const directory = await mkdtemp(join(tmpdir(), 'vbs-command-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, 'root'));
  const node = nodes[example](directory);
  const newMachine = (): DyingMachine =>
    new DyingMachine({ root: node.root, stateDirectory: join(directory, 'node-state'), tools: node.tools });
  const hypervisor = await openNode(t, directory, newMachine(), example);
  await hypervisor.attachDevice(call(), node.neighbour);
  const before = node.state();
  for (let nth = 1; nth <= mostCommands; nth++) {
    const machine = newMachine();
    const broken = await openNode(t, directory, machine, example);
    const wanted = node.request();
    if (road === 'detachDevice') await hypervisor.attachDevice(call(), wanted);
    const atFirst = node.state();
    machine.arm(nth, fault);
    const act = road === 'detachDevice' ? broken.detachDevice(call(), wanted) : broken.attachDevice(call(), wanted);
    const error: unknown = await act.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    const what = `${fault} at command ${nth}: ${machine.faults.ran.at(-1)}: ${String(error)}`;
    if (!machine.met) {
      t.true(nth > 3, 'it ran its commands');
      return;
    }
    // A code that says that nothing changed is true (safety A1).
    if (error instanceof VbsError && errorTable[error.code].outcome === 'failed') t.deepEqual(node.state(), atFirst, what);
    if (road === 'attachDevice') {
      await hypervisor.attachDevice(call(), wanted);
      t.is((await node.read(wanted)).length, 512, what);
    }
    t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' }, what);
    t.deepEqual(node.state(), before, what);
    t.is((await node.read(node.neighbour)).length, 512, what);
  }
  t.fail('it has more commands than are looked at');
});

for (const example of ['xen', 'proxmox'] as const) {
  for (const road of roads) {
    for (const fault of commandFaults) {
      const title = `${road} (${example}) › a command, ${fault}: a repeat brings the same state, nothing leaks, no other disk is touched (stand-in)`;
      test(title, meets, example, road, fault);
    }
  }
}
