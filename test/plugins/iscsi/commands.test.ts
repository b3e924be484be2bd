import { VbsError } from '@vbs/core';
import test from 'ava';
import { call, MiB, makeFixture, request } from './iscsi-fixture.js';

/** A command by what it does. */
function short(line: string): string {
  const words = line.split(' ');
  if (words[0] === 'iscsiadm') return words.at(-1) === 'new' || words.at(-1) === 'delete' ? `record ${words.at(-1)}` : (words.at(-1) ?? '');
  return words[0] === 'tee'
    ? `tee ${line
        .split('/')
        .at(-1)
        ?.replace(/^10\.0\.0\.5,3260$/, 'record')}`
    : (words[0] ?? '');
}

test('every operation › runs the commands that the README lists, and no other (stand-in)', async (t) => {
  const { node, initiator } = await makeFixture(t);
  const made = node.makeTarget();
  const wanted = request(made);
  const commandsOf = async (act: () => Promise<unknown>): Promise<readonly string[]> => {
    const from = node.faults.ran.length;
    await act();
    return node.faults.ran.slice(from).map(short);
  };
  t.deepEqual(await commandsOf(() => initiator.connect(call(), wanted)), ['record new', 'tee record', '--login', 'tee scan', 'readlink']);
  t.deepEqual(await commandsOf(() => initiator.connect(call(), wanted)), ['readlink']);
  t.deepEqual(await commandsOf(() => initiator.listConnections(call())), []);
  t.deepEqual(await commandsOf(() => initiator.getIdentity(call())), []);
  made.target.grow(1, 2 * MiB);
  const larger = { ...wanted, sizeBytes: 2 * MiB };
  t.deepEqual(await commandsOf(async () => initiator.extendConnection?.(call(), larger)), ['tee rescan']);
  t.deepEqual(await commandsOf(async () => initiator.extendConnection?.(call(), larger)), []);
  t.deepEqual(await commandsOf(() => initiator.disconnect(call(), wanted)), [
    'find',
    'blockdev',
    'tee delete',
    '--logout',
    'record delete',
  ]);
  t.deepEqual(await commandsOf(() => initiator.disconnect(call(), wanted)), []);
  t.deepEqual(await commandsOf(() => initiator.listConnections(call())), []);
});

test('safety E5 › the password is in no command line, error or log, and in the record alone (stand-in)', async (t) => {
  const { node, open } = await makeFixture(t);
  const logged: unknown[] = [];
  const note = (...given: readonly unknown[]): void => {
    logged.push(given);
  };
  const log = { debug: note, info: note, warn: note, error: note };
  const { contract } = await open({ log });
  const made = node.makeTarget();
  const password = made.target.chap?.password ?? '';
  const wanted = request(made);
  const answers: unknown[] = [await contract.connect(call({ log }), wanted), await contract.connect(call({ log }), wanted)];
  answers.push(await contract.listConnections(call({ log })));
  const record = `/etc/iscsi/nodes/${wanted.connection.iqn}/10.0.0.5,3260`;
  t.true((await node.machine.readFile(call(), record)).includes(`node.session.auth.password = ${password}\n`));
  await contract.disconnect(call({ log }), wanted);
  for (const nth of [1, 2, 3, 4, 5]) {
    node.faults.arm(nth, 'fails');
    const error: unknown = await contract.connect(call({ log }), wanted).catch((thrown: unknown) => thrown);
    t.true(error instanceof VbsError);
    const { message, context, cause } = error as VbsError;
    answers.push(message, context, cause instanceof VbsError ? [cause.message, cause.context] : String(cause));
    node.faults.disarm();
    await contract.disconnect(call({ log }), wanted);
  }
  t.false(JSON.stringify([answers, logged, node.faults.ran]).includes(password));
  t.deepEqual(await node.left(), []);
});

test('connect › 30 at once with tools of 5 ms: no crossed devices, and all go again (stand-in)', async (t) => {
  t.timeout(120_000);
  const { node, initiator } = await makeFixture(t, { takesMs: 5 });
  node.iscsi.kernel.udevTakesMs = 15;
  const all = Array.from({ length: 30 }, () => node.makeTarget()).map((made) => ({ made, wanted: request(made) }));
  const answers = await Promise.all(all.map(({ wanted }) => initiator.connect(call(), wanted)));
  for (const [index, { made, wanted }] of all.entries()) {
    t.is(answers[index]?.connection.key, wanted.connection.key);
    t.is(await node.file(answers[index]?.devicePath ?? ''), await node.realFile(made.file));
  }
  await Promise.all(all.map(({ wanted }) => initiator.disconnect(call(), wanted)));
  t.deepEqual(await node.left(), []);
});
