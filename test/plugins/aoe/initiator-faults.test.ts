import { isVbsError } from '@vbs/core';
import ava, { type ExecutionContext } from 'ava';
import { type ToolFault, toolFaults } from '../../stand-ins/frame/faults.js';
import { call, type Fixture, KiB, makeFixture, type Target } from './initiator-fixture.js';

const test = ava.serial;
const mostCommands = 12;

interface Trial {
  readonly act: () => Promise<unknown>;
  /** What makes it whole, and shows that it is. */
  readonly repeat: (what: string) => Promise<void>;
}

/** Acts with the fault at each command, until the act has ended without meeting it. */
async function everywhere(
  t: ExecutionContext,
  fixture: Fixture,
  fault: ToolFault,
  fewest: number,
  prepare: () => Promise<Trial>,
): Promise<void> {
  const { machine, node } = fixture;
  for (let nth = 1; nth <= mostCommands; nth++) {
    const { act, repeat } = await prepare();
    const before = machine.faults.ran.length;
    machine.faults.arm(nth, fault);
    const error: unknown = await act().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    const { met } = machine.faults;
    machine.faults.disarm();
    const what = `${fault} at ${machine.faults.ran[before + nth - 1]}`;
    if (error !== undefined) t.true(isVbsError(error), `${what}: ${String(error)}`);
    await repeat(what);
    t.deepEqual(node.lost, [], what);
    if (met === 0) {
      t.true(nth > fewest, `only ${nth - 1} commands were met`);
      return;
    }
  }
  t.fail('it never ended');
}

async function isWhole(t: ExecutionContext, { initiator, node }: Fixture, { request }: Target, what: string): Promise<void> {
  const { key } = request.connection;
  const answer = await initiator.contract.connect(call(), { ...request, access: 'read-only' });
  t.is(answer.sizeBytes, request.sizeBytes, what);
  t.is(node.devices.get(key)?.sectors, request.sizeBytes / 512, what);
  t.true(node.devices.get(key)?.readOnly, what);
}

async function isGone(t: ExecutionContext, { initiator, node }: Fixture, { request }: Target, what: string): Promise<void> {
  await initiator.contract.disconnect(call(), request);
  t.false(node.devices.has(request.connection.key), what);
}

const connecting = ava.macro<[ToolFault]>(async (t, fault) => {
  t.timeout(120_000);
  const fixture = await makeFixture(t);
  const { initiator, node } = fixture;
  node.missesAnnouncements = true;
  await everywhere(t, fixture, fault, 2, async () => {
    const target = await fixture.target();
    return {
      act: () => initiator.contract.connect(call(), { ...target.request, access: 'read-only' }),
      repeat: async (what) => {
        await isWhole(t, fixture, target, what);
        await isGone(t, fixture, target, what);
        target.stop();
      },
    };
  });
});

const undoing = ava.macro<[ToolFault]>(async (t, fault) => {
  t.timeout(120_000);
  const fixture = await makeFixture(t);
  const { initiator, node } = fixture;
  node.missesAnnouncements = true;
  await everywhere(t, fixture, fault, 2, async () => {
    const target = await fixture.target();
    return {
      act: () => initiator.contract.connect(call(), { ...target.request, access: 'read-only' }),
      repeat: async (what) => {
        await isGone(t, fixture, target, what);
        target.stop();
        await node.settled();
        t.deepEqual([...node.devices.keys()], [], what);
      },
    };
  });
});

const disconnecting = ava.macro<[ToolFault]>(async (t, fault) => {
  t.timeout(120_000);
  const fixture = await makeFixture(t);
  const { initiator } = fixture;
  await everywhere(t, fixture, fault, 2, async () => {
    const target = await fixture.target();
    await initiator.contract.connect(call(), target.request);
    return {
      act: () => initiator.contract.disconnect(call(), target.request),
      repeat: async (what) => {
        await isGone(t, fixture, target, what);
        await isWhole(t, fixture, target, what);
        await isGone(t, fixture, target, what);
        target.stop();
      },
    };
  });
});

const replacing = ava.macro<[ToolFault]>(async (t, fault) => {
  t.timeout(120_000);
  const fixture = await makeFixture(t);
  const { initiator, node } = fixture;
  await everywhere(t, fixture, fault, 2, async () => {
    const former = await fixture.target({ slot: 200, sizeBytes: 32 * KiB });
    await initiator.contract.connect(call(), former.request);
    await node.goDown('e1.200');
    former.stop();
    node.missesAnnouncements = true;
    const target = await fixture.target({ slot: 200 });
    node.missesAnnouncements = false;
    return {
      act: () => initiator.contract.connect(call(), target.request),
      repeat: async (what) => {
        await isWhole(t, fixture, target, what);
        await isGone(t, fixture, target, what);
        target.stop();
      },
    };
  });
});

const extending = ava.macro<[ToolFault]>(async (t, fault) => {
  t.timeout(120_000);
  const fixture = await makeFixture(t);
  const { initiator, node } = fixture;
  await everywhere(t, fixture, fault, 0, async () => {
    const target = await fixture.target();
    const { key } = target.request.connection;
    await initiator.contract.connect(call(), target.request);
    const release = await node.hold(key, 'process');
    target.stop();
    await target.start(256 * KiB);
    const grow = () => initiator.contract.extendConnection(call(), { ...target.request, sizeBytes: 256 * KiB });
    return {
      act: grow,
      repeat: async (what) => {
        t.deepEqual(await grow(), { sizeBytes: 256 * KiB }, what);
        await release();
        await isGone(t, fixture, target, what);
        target.stop();
      },
    };
  });
});

for (const fault of toolFaults) {
  test(`connect › a command that ${fault}: a repeat brings the device`, connecting, fault);
  test(`connect › a command that ${fault}: disconnect leaves nothing`, undoing, fault);
  test(`connect › a command that ${fault}, in place of a dead device: a repeat brings the right one`, replacing, fault);
  test(`disconnect › a command that ${fault}: a repeat takes the device away, and it can be connected again`, disconnecting, fault);
  test(`extendConnection › a command that ${fault}: a repeat shows the size`, extending, fault);
}

test('connect › 30 at once while others are disconnected: no crossed devices', async (t) => {
  t.timeout(120_000);
  const { initiator, node, target } = await makeFixture(t, { takesMs: 5 });
  node.discoveryMs = 2;
  const targets: Target[] = [];
  for (let slot = 1; slot <= 30; slot++) targets.push(await target({ slot, sizeBytes: slot * 4 * KiB }));
  const going: Target[] = [];
  for (let slot = 101; slot <= 110; slot++) going.push(await target({ slot }));
  for (const { request } of going) await initiator.contract.connect(call(), request);
  const answers = await Promise.all([
    ...targets.map(({ request }) => initiator.contract.connect(call(), request)),
    ...going.map(({ request }) => initiator.contract.disconnect(call(), request)),
  ]);
  for (const [index, { request, file }] of targets.entries()) {
    t.like(answers[index], { devicePath: `/dev/etherd/${request.connection.key}`, sizeBytes: request.sizeBytes });
    t.is(node.devices.get(request.connection.key)?.target.file, file);
  }
  t.is(node.devices.size, 30);
  await Promise.all(targets.map(({ request }) => initiator.contract.disconnect(call(), request)));
  t.deepEqual(await initiator.contract.listConnections(call()), []);
  t.deepEqual(node.lost, []);
});
