import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectRequest, errorTable, type OpenedInstance, VbsError } from '@vbs/core';
import commandPlugin from '@vbs/plugin-command';
import test, { type ExecutionContext } from 'ava';
import { CommandNode } from '../../support/command/command-node.js';
import { type CommandFault, commandFaults, DyingMachine } from '../../support/command/dying-machine.js';
import { call, openCommand } from '../../support/command/open-command.js';
import { readmeExample } from '../../support/command/readme-example.js';
import { MiB, request } from '../iscsi/iscsi-fixture.js';

type Initiator = OpenedInstance<'initiator'>['contract'];
interface Fixture {
  readonly node: CommandNode;
  readonly initiator: Initiator;
  readonly open: (machine: DyingMachine) => Promise<Initiator>;
  readonly newMachine: () => DyingMachine;
}

async function makeFixture(t: ExecutionContext, change: Record<string, unknown> = {}): Promise<Fixture> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-command-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, 'root/etc/iscsi'), { recursive: true });
  const node = new CommandNode(directory);
  const newMachine = (): DyingMachine =>
    new DyingMachine({ root: node.root, stateDirectory: join(directory, 'node-state'), tools: node.commandTools });
  const open = async (machine: DyingMachine): Promise<Initiator> => {
    const config = { ...readmeExample('iscsi'), deviceTimeoutSeconds: 0.05, ...change };
    const opened = await openCommand(commandPlugin, 'initiator', directory, machine, config);
    t.teardown(() => opened.close());
    return opened.contract;
  };
  return { node, initiator: await open(newMachine()), open, newMachine };
}

type Road = 'connect' | 'connect, given up and undone' | 'disconnect' | 'extendConnection';
const roads: readonly Road[] = ['connect', 'connect, given up and undone', 'disconnect', 'extendConnection'];
const mostCommands = 25;

function act(road: Road, initiator: Initiator, wanted: ConnectRequest<'iscsi'>): Promise<unknown> {
  if (road === 'disconnect') return initiator.disconnect(call(), wanted);
  if (road !== 'extendConnection') return initiator.connect(call(), wanted);
  return initiator.extendConnection?.(call(), { ...wanted, sizeBytes: 2 * MiB }) ?? Promise.reject(new TypeError('no extend'));
}

const meets = test.macro<[Road, CommandFault]>(async (t, road, fault) => {
  t.timeout(120_000);
  const { node, initiator, open, newMachine } = await makeFixture(t);
  for (let nth = 1; nth <= mostCommands; nth++) {
    const machine = newMachine();
    const broken = await open(machine);
    const made = node.makeTarget();
    const wanted = request(made);
    if (road === 'disconnect' || road === 'extendConnection') await initiator.connect(call(), wanted);
    if (road === 'extendConnection') made.target.grow(1, 2 * MiB);
    const atFirst = (await initiator.listConnections(call())).map(({ connection }) => connection.key);
    machine.arm(nth, fault);
    const error: unknown = await act(road, broken, wanted).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    const what = `${fault} at command ${nth}: ${machine.faults.ran.at(-1)}: ${String(error)}`;
    if (!machine.met) {
      t.true(nth > 2, 'it ran its commands');
      return;
    }
    t.false(String(error).includes('secret-of-'), what);
    const listed = (await initiator.listConnections(call())).map(({ connection }) => connection.key);
    if (error instanceof VbsError && errorTable[error.code].outcome === 'failed') t.deepEqual(listed, atFirst, what);
    if (road !== 'connect, given up and undone') await act(road, initiator, wanted);
    if (road === 'connect') t.is((await initiator.listConnections(call()))[0]?.connection.key, wanted.connection.key, what);
    await initiator.disconnect(call(), wanted);
    t.deepEqual(await node.left(), [], what);
  }
  t.fail('it has more commands than are looked at');
});

for (const road of roads) {
  for (const fault of commandFaults) {
    test(`${road} › a command, ${fault}: a repeat brings the same state, and nothing leaks (stand-in)`, meets, road, fault);
  }
}

test('disconnect › refuses while the disk is mounted, and names the mount', async (t) => {
  const { node, initiator } = await makeFixture(t);
  const wanted = request(node.makeTarget());
  const { devicePath } = await initiator.connect(call(), wanted);
  const unmount = node.iscsi.mount(node.diskOf(devicePath), '/mnt/data');
  const error = await t.throwsAsync<VbsError>(initiator.disconnect(call(), wanted), { code: 'FAILED_PRECONDITION' });
  t.deepEqual(error?.context.holders, ['/mnt/data']);
  unmount();
  await initiator.disconnect(call(), wanted);
  t.deepEqual(await node.left(), []);
});

test('a target with a second LUN: its session is neither begun nor ended for one of them alone', async (t) => {
  const { node, initiator } = await makeFixture(t);
  const first = node.makeTarget();
  await initiator.connect(call(), request(first));
  const second = node.makeTarget({ beside: first });
  await t.throwsAsync(initiator.connect(call(), request(second)), { code: 'FAILED_PRECONDITION', message: /a target of its own/ });
  t.is((await initiator.listConnections(call())).length, 1);
});

test('connect › an export with CHAP, and no pattern for the password: refused before anything is run', async (t) => {
  const connect = [{ run: 'iscsiadm -m node -T <iqn> -p <portal> --login' }];
  const { node, open, newMachine } = await makeFixture(t, { connect });
  const machine = newMachine();
  const initiator = await open(machine);
  await t.throwsAsync(initiator.connect(call(), request(node.makeTarget())), { code: 'FAILED_PRECONDITION', message: /<chapPassword>/ });
  t.deepEqual(machine.faults.ran, []);
});

test('connect › without CHAP the commands about it are left out', async (t) => {
  const { node, open, newMachine } = await makeFixture(t);
  const machine = newMachine();
  const initiator = await open(machine);
  const wanted = request(node.makeTarget({ chap: false }));
  await initiator.connect(call(), wanted);
  t.false(machine.faults.ran.some((line) => line.includes('auth')));
  await initiator.disconnect(call(), wanted);
});

test('connect › a portal that is dead is passed over for the next, and nothing of it is left', async (t) => {
  const { node, initiator } = await makeFixture(t);
  const made = node.makeTarget({ portals: ['10.0.0.5:3260'] });
  const connection = { ...made.connection, portals: ['10.0.0.9:3260', '10.0.0.5:3260'] };
  const wanted = { ...request(made), connection };
  const { devicePath } = await initiator.connect(call(), wanted);
  t.regex(devicePath, /ip-10\.0\.0\.5:3260/);
  await initiator.disconnect(call(), wanted);
  t.deepEqual(await node.left(), []);
});

test('a size file that is configured wrong: the disk is there all the same, and is not taken from who holds it (safety E3)', async (t) => {
  const { node, initiator, open, newMachine } = await makeFixture(t);
  const wanted = request(node.makeTarget());
  const { devicePath } = await initiator.connect(call(), wanted);
  const letGo = node.iscsi.openBy(4711, 'qemu-system-x86', node.diskOf(devicePath));
  const changed = await openCommand(commandPlugin, 'initiator', node.directory, newMachine(), {
    ...readmeExample('iscsi'),
    size: '/sys/class/nothing/<disk>/size',
  });
  t.teardown(() => changed.close());
  await t.throwsAsync(changed.contract.disconnect(call(), wanted), { code: 'FAILED_PRECONDITION', message: /held by/ });
  await t.throwsAsync(changed.contract.listConnections(call()), { code: 'INTERNAL', message: /"size" does not tell/ });
  letGo();
  await (await open(newMachine())).disconnect(call(), wanted);
  t.deepEqual(await node.left(), []);
});
