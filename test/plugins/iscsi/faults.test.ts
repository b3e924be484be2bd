import { VbsError } from '@vbs/core';
import test from 'ava';
import { type ToolFault, toolFaults } from '../../stand-ins/frame/faults.js';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import { call, type Fixture, MiB, makeFixture, readBytes, request } from './iscsi-fixture.js';

/** A tool's fault; or this process is killed before, or after, the n-th command, and runs no later one. */
type Fault = ToolFault | 'process killed before' | 'process killed after';
const faults: readonly Fault[] = [...toolFaults, 'process killed before', 'process killed after'];
const mostCommands = 12;

/** Machines that stand for this process: from its death on, nothing is run. */
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
  trial(
    t: {
      readonly is: (a: unknown, b: unknown, m?: string) => unknown;
      readonly deepEqual: (a: unknown, b: unknown, m?: string) => unknown;
    },
    fixture: Fixture,
    broken: Fixture['initiator'],
  ): Promise<Trial>;
}

const roads: readonly Road[] = [
  {
    title: 'connect',
    commands: 5,
    trial: async (t, { node, initiator }, broken) => {
      const wanted = request(node.makeTarget());
      return {
        act: () => broken.connect(call(), wanted),
        repeat: () => initiator.connect(call(), wanted),
        check: async (what) => {
          const listed = await initiator.listConnections(call());
          t.deepEqual(
            listed.map(({ connection: { key } }) => key),
            [wanted.connection.key],
            what,
          );
          t.is(node.iscsi.kernel.sessions.size, 1, what);
          t.is((await readBytes(await node.file(listed[0]?.devicePath ?? ''), 0, MiB)).length, MiB, what);
          await initiator.disconnect(call(), wanted);
        },
      };
    },
  },
  {
    title: 'connect, given up and undone',
    commands: 5,
    trial: async (_t, { node, initiator }, broken) => {
      const wanted = request(node.makeTarget());
      return {
        act: () => broken.connect(call(), wanted),
        repeat: () => initiator.disconnect(call(), wanted),
        check: async () => undefined,
      };
    },
  },
  {
    title: 'disconnect',
    commands: 5,
    trial: async (_t, { node, initiator }, broken) => {
      const wanted = request(node.makeTarget());
      await initiator.connect(call(), wanted);
      return {
        act: () => broken.disconnect(call(), wanted),
        repeat: () => initiator.disconnect(call(), wanted),
        check: async () => undefined,
      };
    },
  },
  {
    title: 'extendConnection',
    commands: 1,
    trial: async (t, { node, initiator }, broken) => {
      const made = node.makeTarget();
      const wanted = request(made);
      await initiator.connect(call(), wanted);
      made.target.grow(1, 2 * MiB);
      const larger = { ...wanted, sizeBytes: 2 * MiB };
      return {
        act: () => broken.extendConnection?.(call(), larger) ?? Promise.reject(new TypeError('no extend')),
        repeat: () => initiator.extendConnection?.(call(), larger) ?? Promise.reject(new TypeError('no extend')),
        check: async (what) => {
          t.is((await initiator.listConnections(call()))[0]?.sizeBytes, 2 * MiB, what);
          await initiator.disconnect(call(), wanted);
        },
      };
    },
  },
];

const meets = test.macro<[Road, Fault]>(async (t, road, fault) => {
  t.timeout(120_000);
  const fixture = await makeFixture(t);
  const { node, open } = fixture;
  for (let nth = 1; nth <= mostCommands; nth++) {
    const machine = new DyingMachine({
      name: 'node1',
      root: node.root,
      stateDirectory: `${node.directory}/node-state`,
      tools: node.iscsi.tools,
    });
    const { contract: broken } = await open({ machine });
    const { act, repeat, check } = await road.trial(t, fixture, broken);
    if (fault.startsWith('process killed')) machine.armed = { nth, after: fault.endsWith('after') };
    else machine.faults.arm(nth, fault as ToolFault);
    const error = await act().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    const met = machine.armed === undefined ? machine.faults.met > 0 : machine.ran >= nth;
    const what = `${fault} at command ${nth}: ${machine.faults.ran.at(-1)}`;
    if (!met) {
      t.is(nth, road.commands + 1, `the number of commands: ${machine.faults.ran.join('; ')}`);
      return;
    }
    if (error !== undefined) t.true(error instanceof VbsError, String(error));
    t.false(String(error).includes('secret-of-'), what);
    await repeat();
    await check(what);
    t.deepEqual(await node.left(), [], what);
  }
  t.fail('it has more commands than are looked at');
});

for (const road of roads) {
  for (const fault of faults)
    test(`${road.title} › a command, ${fault}: a repeat brings the same state, and nothing leaks (stand-in)`, meets, road, fault);
}
