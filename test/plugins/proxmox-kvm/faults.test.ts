import { VbsError } from '@vbs/core';
import test, { type ExecutionContext } from 'ava';
import { type FaultPlan, type ToolFault, toolFaults } from '../../stand-ins/frame/faults.js';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import { call, type Fixture, makeFixture, request, testBy, type Way, ways, whySkipped } from './proxmox-fixture.js';

/** A tool's fault; or this process is killed before, or after, the n-th command, and runs no later one. */
type Fault = ToolFault | 'process killed before' | 'process killed after';
const mostActs = 60;
/** Of a request that meets a fault, in seconds. */
const shortLimit = 0.4;

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
  /** With qm. */
  readonly commands: number;
  trial(t: ExecutionContext, fixture: Fixture, broken: Fixture['hypervisor']): Promise<Trial>;
}

const codesOfNoChange = ['FAILED_PRECONDITION', 'INVALID_ARGUMENT', 'NOT_FOUND', 'ABORTED', 'PERMISSION_DENIED', 'UNAUTHENTICATED'];
const nothing = async (): Promise<void> => undefined;

function attaches(
  t: ExecutionContext,
  { node, hypervisor }: Fixture,
  broken: Fixture['hypervisor'],
  wanted: Awaited<ReturnType<typeof request>>,
): Trial {
  return {
    act: () => broken.attachDevice(call(), wanted),
    repeat: () => hypervisor.attachDevice(call(), wanted),
    check: async (what) => {
      t.is((await node.world.disk(100, 'scsi1').read(0, 512)).length, 512, what);
      t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' }, what);
    },
  };
}

const roads: readonly Road[] = [
  {
    title: 'attachDevice',
    commands: 1,
    trial: async (t, fixture, broken) => attaches(t, fixture, broken, await request(fixture.hypervisor, fixture.node)),
  },
  {
    title: 'attachDevice over a pending change that was left',
    commands: 1,
    trial: async (t, fixture, broken) => {
      const { node, hypervisor } = fixture;
      const wanted = await request(hypervisor, node);
      const config = node.world.load(100);
      config.pending.set(
        'scsi1',
        `${wanted.source.kind === 'block' ? wanted.source.path : ''},backup=0,cache=none,serial=${wanted.serial},size=1M`,
      );
      node.world.save(100, config);
      return attaches(t, fixture, broken, wanted);
    },
  },
  {
    title: 'attachDevice over a removal that was left',
    commands: 2,
    trial: async (t, fixture, broken) => {
      const { node, hypervisor } = fixture;
      const wanted = await request(hypervisor, node);
      await hypervisor.attachDevice(call(), wanted);
      const config = node.world.load(100);
      config.pendingDelete.add('scsi1');
      node.world.save(100, config);
      // The guest let go of it after qm had given up.
      node.world.vm(100).plugged.delete('scsi1');
      return attaches(t, fixture, broken, wanted);
    },
  },
  {
    title: 'attachDevice, given up and undone',
    commands: 1,
    trial: async (_t, { node, hypervisor }, broken) => {
      const wanted = await request(hypervisor, node);
      return { act: () => broken.attachDevice(call(), wanted), repeat: () => hypervisor.detachDevice(call(), wanted), check: nothing };
    },
  },
  {
    title: 'attachDevice, refused and taken back',
    commands: 2,
    trial: async (_t, { node, hypervisor }, broken) => {
      const wanted = await request(hypervisor, node, { slot: 'sata2' });
      return { act: () => broken.attachDevice(call(), wanted), repeat: () => hypervisor.detachDevice(call(), wanted), check: nothing };
    },
  },
  {
    title: 'detachDevice',
    commands: 1,
    trial: async (_t, { node, hypervisor }, broken) => {
      const wanted = await request(hypervisor, node);
      await hypervisor.attachDevice(call(), wanted);
      return { act: () => broken.detachDevice(call(), wanted), repeat: () => hypervisor.detachDevice(call(), wanted), check: nothing };
    },
  },
  {
    title: 'detachDevice from a busy guest, taken back',
    commands: 2,
    trial: async (t, { node, hypervisor }, broken) => {
      const wanted = await request(hypervisor, node);
      await hypervisor.attachDevice(call(), wanted);
      const letGo = node.world.hold(100, 'scsi1');
      return {
        act: () => broken.detachDevice(call(), wanted),
        repeat: async () => t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'refused' }),
        check: async (what) => {
          t.is((await node.world.disk(100, 'scsi1').read(0, 512)).length, 512, what);
          t.like(
            (await hypervisor.listDevices(call())).find(({ vm, slot }) => vm === wanted.vm && slot === 'scsi1'),
            { state: 'attached' },
            what,
          );
          letGo();
          t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' }, what);
        },
      };
    },
  },
];

/** A hypervisor that meets the fault at its nth command or request, and whether it has. */
async function brokenOne({ node, open, server }: Fixture, fault: Fault, nth: number) {
  if (server !== undefined) {
    const { contract } = await open({ config: { api: { timeLimitSeconds: shortLimit } } });
    const plan: FaultPlan = server.faults;
    return { contract, arm: () => plan.arm(nth, fault as ToolFault), met: () => plan.met > 0, disarm: () => plan.disarm(), ran: plan.ran };
  }
  const { root, directory, world } = node;
  const machine = new DyingMachine({ name: 'pve1', root, stateDirectory: `${directory}/node-state`, tools: world.tools });
  const { contract } = await open({ machine });
  const isDeath = fault.startsWith('process killed');
  return {
    contract,
    arm: () => {
      if (isDeath) machine.armed = { nth, after: fault.endsWith('after') };
      else machine.faults.arm(nth, fault as ToolFault);
    },
    met: () => (isDeath ? machine.ran >= nth : machine.faults.met > 0),
    disarm: () => undefined,
    ran: machine.faults.ran,
  };
}

const meets = test.macro<[Road, Fault, Way]>(async (t, road, fault, way) => {
  t.timeout(240_000);
  const fixture = await makeFixture(t, { way });
  const { node, hypervisor, server } = fixture;
  const neighbours = [await request(hypervisor, node, { vmid: 101 }), await request(hypervisor, node, { slot: 'virtio3' })];
  for (const neighbour of neighbours) await hypervisor.attachDevice(call(), neighbour);
  const before = node.world.state();
  for (let nth = 1; nth <= mostActs; nth++) {
    const broken = await brokenOne(fixture, fault, nth);
    const { act, repeat, check } = await road.trial(t, fixture, broken.contract);
    const atFirst = node.world.state();
    broken.arm();
    const error: unknown = await act().catch((thrown: unknown) => thrown);
    broken.disarm();
    const what = `${fault} at ${nth}: ${broken.ran.at(-1)}: ${String(error)}`;
    await server?.tasks.ended();
    // A code that says that nothing changed is true (safety A1).
    if (error instanceof VbsError && codesOfNoChange.includes(error.code)) t.deepEqual(node.world.state(), atFirst, what);
    await repeat();
    await check(what);
    t.deepEqual(node.world.state(), before, what);
    for (const [vmid, slot] of [
      [101, 'scsi1'],
      [100, 'virtio3'],
    ] as const) {
      t.is((await node.world.disk(vmid, slot).read(0, 512)).length, 512, what);
    }
    if (broken.met()) continue;
    if (server === undefined) t.is(nth, road.commands + 1, `the number of commands: ${broken.ran.join('; ')}`);
    return;
  }
  t.fail('it has more acts than are looked at');
});

for (const way of ways) {
  const faults: readonly Fault[] = way === 'qm' ? [...toolFaults, 'process killed before', 'process killed after'] : toolFaults;
  for (const road of roads) {
    for (const fault of faults) {
      const what = way === 'qm' ? 'a command' : 'a request';
      testBy(way)(
        `${road.title} › ${what}, ${fault}: a repeat brings the same state, nothing leaks, no other disk is touched (stand-in, by ${way})${whySkipped(way)}`,
        meets,
        road,
        fault,
        way,
      );
    }
  }
}
