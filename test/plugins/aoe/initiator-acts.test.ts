import test from 'ava';
import { notingMachine } from '../../support/noting-machine.js';
import { call, KiB, makeFixture } from './initiator-fixture.js';

test('every operation › asks its machine for what it needs once: over SSH each is a round trip (stand-in)', async (t) => {
  const fixture = await makeFixture(t);
  const { machine, acts } = notingMachine(fixture.machine);
  const { contract: initiator } = await fixture.open({ machine });
  for (let others = 0; others < 3; others++) await initiator.connect(call(), (await fixture.target()).request);
  const target = await fixture.target();
  const { request } = target;
  t.deepEqual(await acts(() => initiator.connect(call(), request)), ['settle', 'look', 'waitForPath', 'look', 'run dd']);
  t.deepEqual(await acts(() => initiator.connect(call(), request)), ['settle', 'look', 'run dd']);
  t.deepEqual(await acts(() => initiator.listConnections(call())), ['look']);
  t.deepEqual(await acts(() => initiator.getIdentity(call())), ['look']);
  target.stop();
  await target.start(128 * KiB);
  const larger = { ...request, sizeBytes: 128 * KiB };
  t.deepEqual(await acts(async () => initiator.extendConnection?.(call(), larger)), ['settle', 'look', 'run aoe-revalidate', 'look']);
  t.deepEqual(await acts(() => initiator.disconnect(call(), request)), [
    'settle',
    'look',
    'run blockdev',
    'look',
    'run udevadm',
    'run find',
    'run tee',
    'waitForPath',
  ]);
  t.deepEqual(await acts(() => initiator.disconnect(call(), request)), ['settle', 'look']);
});
