import { VbsError } from '@vbs/core';
import test, { type ExecutionContext } from 'ava';
import { type ToolFault, toolFaults } from '../../stand-ins/frame/faults.js';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import { call, type Fixture, makeFixture, request, toolstacks } from './xen-fixture.js';

/** A tool's fault; or this process is killed before, or after, the n-th command, and runs no later one. */
type Fault = ToolFault | 'process killed before' | 'process killed after';
const faults: readonly Fault[] = [...toolFaults, 'process killed before', 'process killed after'];
const mostCommands = 12;

/** A machine that stands for this process: from its death on, nothing is run. */
class DyingMachine extends StandInMachine {
  armed: { readonly nth: number; readonly after: boolean } | undefined;
  ran = 0;
  #dead = false;

  override async run(...given: Parameters<StandInMachine['run']>): ReturnType<StandInMachine['run']> {
    if (this.#dead) throw new VbsError('DEADLINE_EXCEEDED', 'this process was killed');
    if (this.armed === undefined) return await super.run(...given);
    this.ran += 1;
    if (this.ran !== this.armed.nth) return await super.run(...given);
    this.#dead = true;
    if (this.armed.after) await super.run(...given);
    throw new VbsError('DEADLINE_EXCEEDED', 'this process was killed');
  }
}

interface Trial {
  readonly act: () => Promise<unknown>;
  readonly repeat: () => Promise<unknown>;
  readonly check: (what: string) => Promise<void>;
}

interface Road {
  readonly title: string;
  readonly commands: number;
  trial(t: ExecutionContext, fixture: Fixture, broken: Fixture['hypervisor']): Promise<Trial>;
}

const codesOfNoChange = ['FAILED_PRECONDITION', 'INVALID_ARGUMENT', 'NOT_FOUND', 'ABORTED', 'PERMISSION_DENIED'];

const roads: readonly Road[] = [
  {
    title: 'attachDevice',
    commands: 3,
    trial: async (t, { host, hypervisor }, broken) => {
      const wanted = request(host);
      return {
        act: () => broken.attachDevice(call(), wanted),
        repeat: () => hypervisor.attachDevice(call(), wanted),
        check: async (what) => {
          t.is((await host.world.disk('vm1', 'xvdb').read(0, 512)).length, 512, what);
          t.deepEqual((await hypervisor.listDevices(call())).find(({ vm }) => vm === 'vm1')?.source, wanted.source, what);
          t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' }, what);
        },
      };
    },
  },
  {
    title: 'attachDevice over a leftover',
    commands: 5,
    trial: async (t, { host, hypervisor }, broken) => {
      const { path, device } = host.device();
      device.mounted = 'rw';
      await t.throwsAsync(host.machine.run(call(), ['xl', 'block-attach', 'vm1', `phy:${path}`, 'xvdb', 'w']));
      device.mounted = undefined;
      const wanted = request(host, { path });
      return {
        act: () => broken.attachDevice(call(), wanted),
        repeat: () => hypervisor.attachDevice(call(), wanted),
        check: async (what) => {
          t.is((await host.world.disk('vm1', 'xvdb').read(0, 512)).length, 512, what);
          t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' }, what);
        },
      };
    },
  },
  {
    title: 'attachDevice, given up and undone',
    commands: 3,
    trial: async (_t, { host, hypervisor }, broken) => {
      const wanted = request(host);
      return {
        act: () => broken.attachDevice(call(), wanted),
        repeat: () => hypervisor.detachDevice(call(), wanted),
        check: async () => undefined,
      };
    },
  },
  {
    title: 'attachDevice, refused and taken back',
    commands: 5,
    trial: async (_t, { host, hypervisor }, broken) => {
      const wanted = request(host, { path: host.device({ readOnly: true }).path });
      return {
        act: () => broken.attachDevice(call(), wanted),
        repeat: () => hypervisor.detachDevice(call(), wanted),
        check: async () => undefined,
      };
    },
  },
  {
    title: 'detachDevice',
    commands: 3,
    trial: async (_t, { host, hypervisor }, broken) => {
      const wanted = request(host);
      await hypervisor.attachDevice(call(), wanted);
      return {
        act: () => broken.detachDevice(call(), wanted),
        repeat: () => hypervisor.detachDevice(call(), wanted),
        check: async () => undefined,
      };
    },
  },
];

const meets = test.macro<[Road, Fault, Readonly<Record<string, string>>]>(async (t, road, fault, commands) => {
  t.timeout(120_000);
  const fixture = await makeFixture(t, { commands });
  const { host, hypervisor, open } = fixture;
  const neighbours = [request(host, { vm: 'vm2' }), request(host, { slot: 'xvdc' })];
  for (const neighbour of neighbours) await hypervisor.attachDevice(call(), neighbour);
  const before = host.disks();
  for (let nth = 1; nth <= mostCommands; nth++) {
    const { root, directory, world } = host;
    const machine = new DyingMachine({ name: 'xen1', root, stateDirectory: `${directory}/node-state`, tools: world.tools });
    const { contract: broken } = await open({ machine });
    const { act, repeat, check } = await road.trial(t, fixture, broken);
    const atFirst = host.disks();
    if (fault.startsWith('process killed')) machine.armed = { nth, after: fault.endsWith('after') };
    else machine.faults.arm(nth, fault as ToolFault);
    const error: unknown = await act().catch((thrown: unknown) => thrown);
    const met = machine.armed === undefined ? machine.faults.met > 0 : machine.ran >= nth;
    const what = `${fault} at command ${nth}: ${machine.faults.ran.at(-1)}: ${String(error)}`;
    if (!met) {
      t.is(nth, road.commands + 1, `the number of commands: ${machine.faults.ran.join('; ')}`);
      return;
    }
    // A code that says that nothing changed is true (safety A1).
    if (error instanceof VbsError && codesOfNoChange.includes(error.code)) t.deepEqual(host.disks(), atFirst, what);
    await repeat();
    await check(what);
    t.deepEqual(host.disks().toSorted(), before.toSorted(), what);
    for (const { vm, slot } of neighbours) t.is((await world.disk(vm, slot).read(0, 512)).length, 512, what);
  }
  t.fail('it has more commands than are looked at');
});

for (const [tool, commands] of toolstacks) {
  for (const road of roads) {
    for (const fault of faults) {
      const title = `${road.title} › a command, ${fault}: a repeat brings the same state, nothing leaks, no other disk is touched (stand-in ${tool})`;
      test(title, meets, road, fault, commands);
    }
  }
}
