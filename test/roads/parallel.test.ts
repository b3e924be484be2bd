import { readFile, writeFile } from 'node:fs/promises';
import test from 'ava';
import { bytesOf } from './support/faulty-road.js';
import { Road, type RoadKind, roadKinds, volumeBytes } from './support/road.js';

const takesMs = 20;
/** Of a machine, as the contract says. */
const slotsOfMachine = 8;
/** How many volumes; and the most commands, stops and writes of one attach and one detach that nothing goes wrong with. */
const measures = {
  'LVM → IET → iSCSI': { count: 200, most: 25 },
  'LVM → vblade → AoE': { count: 200, most: 14 },
  'LVM → IET → iSCSI → Xen': { count: 30, most: 28 },
  'LVM → vblade → AoE → Xen': { count: 30, most: 16 },
  'LVM → IET → iSCSI → qm': { count: 30, most: 24 },
} as const satisfies Readonly<Record<RoadKind, object>>;
const wait = { wait: true } as const;

for (const kind of roadKinds) {
  const { count, most } = measures[kind];
  test.serial(
    `road ${kind}, on stand-in tools of 20 ms › ${count} volumes are attached and detached at once, and none is another's device`,
    async (t) => {
      const road = await Road.make(t, kind, { takesMs });
      const store = await road.open({ times: { scanMs: 60_000 } });
      t.timeout(400_000);
      t.teardown(() => store.close());
      const volumes = await Promise.all(Array.from({ length: count }, () => store.createVolume({ size: volumeBytes }, wait)));
      for (const { id } of volumes) await writeFile(road.server.lvm.dataFile(id), bytesOf(id));
      // The same slots in both VMs.
      const placeOf = (index: number) => ({ vmId: road.vms.ids[index % 2] ?? '', device: road.vms.slot(Math.floor(index / 2)) });
      const ran = (): number => road.faults.ran.length;

      const attaching = { from: ran(), at: performance.now() };
      await Promise.all(volumes.map(({ id }, index) => store.attachVolume({ volumeId: id, vmmHost: 'node1', ...placeOf(index) }, wait)));
      const attached = { commands: ran() - attaching.from, ms: performance.now() - attaching.at };
      for (const [index, { id }] of volumes.entries()) {
        const { vmId, device } = placeOf(index);
        t.true((await road.bytes(device, vmId)).equals(bytesOf(id)), `${device} of ${vmId} bears ${id}`);
      }

      const detaching = { from: ran(), at: performance.now() };
      await Promise.all(volumes.map(({ id }) => store.detachVolume({ volumeId: id }, wait)));
      const detached = { commands: ran() - detaching.from, ms: performance.now() - detaching.at };
      t.deepEqual(road.leftovers(), []);
      for (const { id } of volumes) t.true((await readFile(road.server.lvm.dataFile(id))).equals(bytesOf(id)), `bytes of ${id}`);

      for (const [what, { commands, ms }] of Object.entries({ attached, detached })) {
        const bound = (commands * takesMs) / slotsOfMachine;
        t.log(
          `${what}: ${commands} commands, ${(commands / count).toFixed(2)} each, ${(ms / bound).toFixed(2)} times commands × 20 ms / 8`,
        );
      }
      const { vs1, node1 } = road.machines;
      t.log(`at once: ${vs1.mostAtOnce} on the volume server, ${node1.mostAtOnce} on the node`);
      t.is(vs1.mostAtOnce, slotsOfMachine);
      t.is(node1.mostAtOnce, slotsOfMachine);
      t.true(attached.commands + detached.commands <= count * most, `${attached.commands} + ${detached.commands}`);
    },
  );
}
