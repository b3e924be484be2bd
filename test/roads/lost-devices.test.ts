import test from 'ava';
import { silent } from '../support/store.js';
import { FaultyRoad } from './support/faulty-road.js';

for (const kind of ['LVM → IET → iSCSI → Xen', 'LVM → IET → iSCSI → qm'] as const) {
  test(`road ${kind}, on stand-in tools › a device that goes while its VM has it is told among what is left`, async (t) => {
    const faulty = await FaultyRoad.make(t, kind);
    const { road, baseline } = faulty;
    const call = {
      signal: AbortSignal.timeout(30_000),
      operationId: 'op-00000000000000001',
      epoch: 1,
      log: silent,
      progress: () => undefined,
    };
    t.deepEqual(
      baseline.filter((line) => line.includes('taken from under')),
      [],
    );
    // The first session is that of the neighbour in the same VM.
    await road.machines.node1.run(call, ['iscsiadm', '-m', 'session', '-r', '1', '--logout']);
    const lost = road.leftovers().filter((line) => line.includes('taken from under'));
    t.is(lost.length, 1);
    t.regex(lost[0] ?? '', /^\/dev\/disk\/by-path\/.*-lun-\d+ was taken from under a VM$/);
    const [{ slot, vm } = { slot: '', vm: '' }] = faulty.neighbours;
    const bytes = await road.bytes(slot, vm).catch(() => Buffer.alloc(0));
    t.is(bytes.length, 0, 'its guest reads nothing more');
  });
}
