import test from 'ava';
import { notingMachine } from '../../support/noting-machine.js';
import { call, MiB, makeFixture, request } from './iscsi-fixture.js';

test('every operation › asks its machine for what it needs once: over SSH each is a round trip (stand-in)', async (t) => {
  const { node, open } = await makeFixture(t);
  const { machine, acts } = notingMachine(node.machine);
  const { contract: initiator } = await open({ machine });
  for (let others = 0; others < 3; others++) await initiator.connect(call(), request(node.makeTarget()));
  const made = node.makeTarget();
  const wanted = request(made);
  const larger = { ...wanted, sizeBytes: 2 * MiB };
  t.deepEqual(await acts(() => initiator.connect(call(), wanted)), [
    'look',
    'run iscsiadm',
    'readFile',
    'run tee',
    'run iscsiadm',
    'look',
    'run tee',
    'look',
    'run readlink',
  ]);
  t.deepEqual(await acts(() => initiator.connect(call(), wanted)), ['look', 'run readlink']);
  t.deepEqual(await acts(() => initiator.listConnections(call())), ['look']);
  t.deepEqual(await acts(() => initiator.getIdentity(call())), ['readFile']);
  made.target.grow(1, 2 * MiB);
  t.deepEqual(await acts(async () => initiator.extendConnection?.(call(), larger)), ['look', 'run tee', 'look']);
  t.deepEqual(await acts(async () => initiator.extendConnection?.(call(), larger)), ['look']);
  t.deepEqual(await acts(() => initiator.disconnect(call(), wanted)), [
    'look',
    'run find',
    'run blockdev',
    'run tee',
    'look',
    'run iscsiadm',
    'look',
    'run iscsiadm',
  ]);
  t.deepEqual(await acts(() => initiator.disconnect(call(), wanted)), ['look']);
});
