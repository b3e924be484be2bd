import { readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { type ConnectRequest, type Machine, VbsError } from '@vbs/core';
import test from 'ava';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import { call, type Fixture, MiB, makeFixture, type Node, request } from './iscsi-fixture.js';

const recordOf = ({ connection: { iqn } }: ConnectRequest<'iscsi'>): string => `/etc/iscsi/nodes/${iqn}/10.0.0.5,3260`;

test("trap › a node record that a crash tore, which iscsiadm neither replaces nor deletes, is in nobody's way (stand-in)", async (t) => {
  const { node, initiator } = await makeFixture(t);
  const wanted = request(node.makeTarget());
  for (const length of [0, 300]) {
    await initiator.connect(call(), wanted);
    await initiator.disconnect(call(), wanted);
    node.iscsi.database.create(wanted.connection.iqn, '10.0.0.5', 3260);
    truncateSync(node.machine.real(recordOf(wanted)), length);
    await initiator.connect(call(), wanted);
    truncateSync(node.machine.real(recordOf(wanted)), length);
    await initiator.disconnect(call(), wanted);
    t.deepEqual(await node.left(), []);
  }
});

test('trap › a repeat puts right a record that somebody changed, and keeps what iscsid.conf sets (stand-in)', async (t) => {
  const { node, initiator } = await makeFixture(t);
  const wanted = request(node.makeTarget());
  await initiator.connect(call(), wanted);
  const path = node.machine.real(recordOf(wanted));
  const before = readFileSync(path, 'utf8');
  for (const line of [
    'node.startup = manual',
    'node.session.scan = manual',
    'node.session.auth.authmethod = CHAP',
    'node.session.cmds_max = 128',
  ]) {
    t.is(before.split(`\n${line}\n`).length, 2, line);
  }
  writeFileSync(path, before.replace('node.startup = manual', 'node.startup = automatic').replace('cmds_max = 128', 'cmds_max = 64'));
  await initiator.connect(call(), wanted);
  const after = readFileSync(path, 'utf8');
  t.true(after.includes('node.startup = manual'));
  t.true(after.includes('cmds_max = 64'));
});

test('trap › manual scan: a target with other LUNs shows the one that was asked for alone (stand-in)', async (t) => {
  const { node, initiator } = await makeFixture(t);
  const made = node.makeTarget();
  const beside = node.makeTarget({ beside: made });
  await initiator.connect(call(), request(beside));
  t.deepEqual(
    (await initiator.listConnections(call())).map(({ connection }) => connection.key.split('/').at(-1)),
    ['2'],
  );
});

test('trap › records of a discovery go with the connection (stand-in)', async (t) => {
  const { node, initiator } = await makeFixture(t);
  const wanted = request(node.makeTarget());
  await node.machine.run(call(), ['iscsiadm', '-m', 'discovery', '-t', 'sendtargets', '-p', '10.0.0.5:3260']);
  await initiator.disconnect(call(), wanted);
  t.deepEqual(await node.left(), []);
});

for (const vanishing of [['before'], ['behind'], ['before', 'before', 'behind']] as const) {
  const title = `trap › iscsiadm that fails at the record of another target, which went ${vanishing.join(', then ')} its own, is no failure (stand-in)`;
  test(title, async (t) => {
    const { node, initiator } = await makeFixture(t);
    const made = node.makeTarget();
    const wanted = request(made);
    node.iscsi.database.vanishing = [...vanishing];
    const { devicePath } = await initiator.connect(call(), wanted);
    t.is(await node.file(devicePath), await node.realFile(made.file));
    t.is(node.iscsi.kernel.sessions.size, 1);
    node.iscsi.database.vanishing = [...vanishing];
    await initiator.disconnect(call(), wanted);
    t.deepEqual(node.iscsi.database.vanishing, []);
    t.deepEqual(await node.left(), []);
  });
}

test('trap 3 › connect waits for the link by path, which comes later than the disk (stand-in)', async (t) => {
  const { node, initiator } = await makeFixture(t);
  node.iscsi.kernel.udevTakesMs = 100;
  const made = node.makeTarget();
  const { devicePath } = await initiator.connect(call(), request(made));
  t.is(await node.file(devicePath), await node.realFile(made.file));
});

test('safety E2 › a link that still leads to another disk is not answered (stand-in)', async (t) => {
  const { node, initiator } = await makeFixture(t);
  node.iscsi.kernel.udevTakesMs = 150;
  const [other, made] = [node.makeTarget(), node.makeTarget()];
  await initiator.connect(call(), request(other));
  const link = `/dev/disk/by-path/ip-10.0.0.5:3260-iscsi-${made.connection.iqn}-lun-1`;
  symlinkSync('../../sda', node.machine.real(link));
  const { devicePath } = await initiator.connect(call(), request(made));
  t.is(devicePath, link);
  t.is(await node.file(devicePath), await node.realFile(made.file));
});

test('safety E2 › a device that must be read-only and takes writes is refused, and the other way round (stand-in)', async (t) => {
  const { node, initiator } = await makeFixture(t);
  for (const [made, access] of [
    [node.makeTarget(), 'read-only'],
    [node.makeTarget({ access: 'read-only' }), 'read-write'],
  ] as const) {
    const error = await t.throwsAsync(initiator.connect(call(), request(made, { access })), { instanceOf: VbsError });
    t.like(error, { code: 'FAILED_PRECONDITION', context: { expected: { access } } });
    t.deepEqual(await node.left(), []);
  }
});

test('safety E2 › a disk that grew in its target since it was connected is rescanned, and not refused (stand-in)', async (t) => {
  const { node, initiator } = await makeFixture(t);
  const made = node.makeTarget();
  const wanted = request(made);
  await initiator.connect(call(), wanted);
  made.target.grow(1, 2 * MiB);
  t.is((await initiator.connect(call(), { ...wanted, sizeBytes: 2 * MiB })).sizeBytes, 2 * MiB);
});

interface Holder {
  readonly title: string;
  readonly told: RegExp;
  hold(node: Node, disk: string): () => void;
}
const holders: readonly Holder[] = [
  { title: 'a mount', told: /the mount at \/mnt\/data/, hold: (node, disk) => node.iscsi.mount(disk, '/mnt/data') },
  { title: 'a process', told: /process 4711 \(qemu-system-x86\)/, hold: (node, disk) => node.iscsi.openBy(4711, 'qemu-system-x86', disk) },
  {
    title: 'device mapper',
    told: /dm-3/,
    hold: (node, disk) => {
      const path = node.machine.real(`/sys/block/${disk}/holders/dm-3`);
      writeFileSync(path, '');
      return () => rmSync(path);
    },
  },
  {
    title: 'swap',
    told: /swap on \/dev\/sda/,
    hold: (node, disk) => {
      const path = node.machine.real('/proc/swaps');
      const before = readFileSync(path, 'utf8');
      writeFileSync(path, `${before}/dev/${disk} partition 1048572 0 -2\n`);
      return () => writeFileSync(path, before);
    },
  },
];
const held = test.macro<[Holder]>(async (t, { hold, told }) => {
  const { node, initiator } = await makeFixture(t);
  const wanted = request(node.makeTarget());
  const { devicePath } = await initiator.connect(call(), wanted);
  const letGo = hold(node, node.diskOf(devicePath));
  const error = await t.throwsAsync(initiator.disconnect(call(), wanted), { instanceOf: VbsError, message: told });
  t.is((error as VbsError).code, 'FAILED_PRECONDITION');
  // A wrong request does not take it away either.
  await t.throwsAsync(initiator.connect(call(), { ...wanted, sizeBytes: 512 }), { message: told });
  t.is((await initiator.listConnections(call())).length, 1);
  letGo();
  await initiator.disconnect(call(), wanted);
  t.deepEqual(await node.left(), []);
});
for (const holder of holders)
  test(`safety E3 › disconnect refuses while ${holder.title} holds the disk, and names it (stand-in)`, held, holder);

test('connect › takes the next portal when the first does not answer, and leaves no record of it (stand-in)', async (t) => {
  const { node, initiator } = await makeFixture(t);
  const made = node.makeTarget({ portals: ['10.0.0.5:3260', '[fd00::5]:3261'] });
  const wanted = request({ ...made, connection: { ...made.connection, portals: ['10.9.9.9:3260', '[fd00::5]:3261'] } });
  const { devicePath } = await initiator.connect(call(), wanted);
  t.is(devicePath, `/dev/disk/by-path/ip-fd00::5:3261-iscsi-${made.connection.iqn}-lun-1`);
  t.deepEqual(await node.machine.listDirectory(call(), `/etc/iscsi/nodes/${made.connection.iqn}`), ['fd00::5,3261']);
  t.is((await initiator.connect(call(), wanted)).devicePath, devicePath);
  t.is(node.iscsi.kernel.sessions.size, 1);
  await initiator.disconnect(call(), wanted);
  t.deepEqual(await node.left(), []);
});

test('disconnect › with a dead target ends with an error, and a repeat goes on when it is back (stand-in)', async (t) => {
  const { node, initiator } = await makeFixture(t);
  const made = node.makeTarget();
  const wanted = request(made);
  await initiator.connect(call(), wanted);
  node.iscsi.setDead(made.target, true);
  t.is(((await t.throwsAsync(initiator.disconnect(call(), wanted))) as VbsError).code, 'INTERNAL');
  t.is(node.faults.ran.filter((line) => line.startsWith('blockdev')).length, 3);
  node.iscsi.setDead(made.target, false);
  await initiator.disconnect(call(), wanted);
  t.deepEqual(await node.left(), []);
});

const exits: readonly (readonly [exitCode: number, code: string])[] = [
  [24, 'PERMISSION_DENIED'],
  [19, 'PERMISSION_DENIED'],
  [13, 'PERMISSION_DENIED'],
  [12, 'FAILED_PRECONDITION'],
  ...[4, 5, 8, 11, 18, 20, 28, 29, 32, 33].map((exitCode) => [exitCode, 'UNAVAILABLE'] as const),
  [6, 'INTERNAL'],
];
async function loginThatEnds(
  t: Parameters<typeof makeFixture>[0],
  exitCode: number,
): Promise<{ readonly fixture: Fixture; readonly machine: Machine }> {
  const fixture = await makeFixture(t);
  const { node } = fixture;
  const { iscsiadm } = node.iscsi.tools;
  const tools = {
    ...node.iscsi.tools,
    iscsiadm: (run: Parameters<NonNullable<typeof iscsiadm>>[0]) =>
      run.args.includes('--login')
        ? { exitCode, stderr: `iscsiadm: initiator reported error (${exitCode} - a text)\n` }
        : (iscsiadm?.(run) ?? {}),
  };
  return { fixture, machine: new StandInMachine({ root: node.root, stateDirectory: `${node.directory}/node-state`, tools }) };
}
const mapped = test.macro<[number, string]>(async (t, exitCode, code) => {
  const { fixture, machine } = await loginThatEnds(t, exitCode);
  const { contract } = await fixture.open({ machine });
  const error = await t.throwsAsync(contract.connect(call(), request(fixture.node.makeTarget())), { instanceOf: VbsError });
  t.like(error, { code });
  t.deepEqual(await fixture.node.left(), []);
});
for (const [exitCode, code] of exits)
  test(`connect › iscsiadm's exit code ${exitCode} at the login is ${code}, and nothing is left`, mapped, exitCode, code);

test('connect › a login that says 15 because somebody logged in meanwhile takes that session (stand-in)', async (t) => {
  const { node, open } = await makeFixture(t);
  const made = node.makeTarget();
  const { iscsiadm } = node.iscsi.tools;
  let first = true;
  const tools = {
    ...node.iscsi.tools,
    iscsiadm: async (run: Parameters<NonNullable<typeof iscsiadm>>[0]) => {
      if (run.args.includes('--login') && first) {
        first = false;
        await iscsiadm?.(run);
      }
      return iscsiadm?.(run) ?? {};
    },
  };
  const machine = new StandInMachine({ root: node.root, stateDirectory: `${node.directory}/node-state`, tools });
  const { contract } = await open({ machine });
  await contract.connect(call(), request(made));
  t.is(node.iscsi.kernel.sessions.size, 1);
});

test('check › names each thing that the node lacks (stand-in)', async (t) => {
  const { node, open } = await makeFixture(t);
  const opened = await open();
  t.deepEqual(await opened.check(call()), []);
  node.iscsi.iscsid = false;
  rmSync(node.machine.real('/sys/class/iscsi_transport/tcp'), { recursive: true });
  writeFileSync(node.machine.real('/etc/iscsi/initiatorname.iscsi'), '## DO NOT EDIT\nGenerateName=yes\n');
  const faults = await opened.check(call());
  t.is(faults.length, 3);
  for (const [index, pattern] of [/sets no InitiatorName/, /iscsi_tcp is not loaded/, /iscsid does not run/].entries())
    t.regex(faults[index] ?? '', pattern);
  await t.throwsAsync(opened.contract.getIdentity(call()), { message: /iscsi-iname/ });
});

const illegal: readonly (readonly [what: string, change: (connection: ConnectRequest<'iscsi'>['connection']) => object, code: string])[] = [
  ['an IQN with a slash', () => ({ iqn: 'iqn.2009-11.x:../../etc' }), 'INVALID_ARGUMENT'],
  ['an IQN that is an option', () => ({ iqn: '--login' }), 'INVALID_ARGUMENT'],
  ['no portal', () => ({ portals: [] }), 'INVALID_ARGUMENT'],
  ['a portal without a port', () => ({ portals: ['10.0.0.5'] }), 'INVALID_ARGUMENT'],
  ['a port that is none', () => ({ portals: ['10.0.0.5:70000'] }), 'INVALID_ARGUMENT'],
  ['a LUN that has several names', () => ({ lun: 256 }), 'OUT_OF_RANGE'],
];
for (const [what, change, code] of illegal) {
  test(`connect › refuses ${what} before anything is run (stand-in)`, async (t) => {
    const { node, initiator } = await makeFixture(t);
    const wanted = request(node.makeTarget());
    const error = await t.throwsAsync(
      initiator.connect(call(), { ...wanted, connection: { ...wanted.connection, ...change(wanted.connection) } }),
    );
    t.like(error, { code });
    t.deepEqual(node.faults.ran, []);
  });
}
