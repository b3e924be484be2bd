import { readFile, writeFile } from 'node:fs/promises';
import test from 'ava';
import { bytesOf } from './support/faulty-road.js';
import { Road, roadKinds, volumeBytes } from './support/road.js';

const count = 200;
const takesMs = 20;
/** Of a machine, as the contract says. */
const slotsOfMachine = 8;
/** The most commands, stops and writes of one attach and one detach that nothing goes wrong with. */
const mostCommandsOf = { 'LVM → IET → iSCSI': 25, 'LVM → vblade → AoE': 13 } as const;
const wait = { wait: true } as const;

/** xvdb … xvdz, xvdbb … */
function slotOf(index: number): string {
  const letter = (at: number): string => String.fromCharCode(98 + at);
  return `xvd${index < 25 ? letter(index) : `${letter(Math.floor(index / 25) - 1)}${letter(index % 25)}`}`;
}

for (const kind of roadKinds) {
  test.serial(
    `road ${kind}, on stand-in tools of 20 ms › ${count} volumes are attached and detached at once, and none is another's device`,
    async (t) => {
      const road = await Road.make(t, kind, { takesMs });
      const store = await road.open({ times: { scanMs: 60_000 } });
      t.timeout(400_000);
      t.teardown(() => store.close());
      const volumes = await Promise.all(Array.from({ length: count }, () => store.createVolume({ size: volumeBytes }, wait)));
      for (const { id } of volumes) await writeFile(road.server.lvm.dataFile(id), bytesOf(id));
      const ran = (): number => road.faults.ran.length;

      const attaching = { from: ran(), at: performance.now() };
      await Promise.all(
        volumes.map(({ id }, index) => store.attachVolume({ volumeId: id, vmmHost: 'node1', vmId: 'vm1', device: slotOf(index) }, wait)),
      );
      const attached = { commands: ran() - attaching.from, ms: performance.now() - attaching.at };
      for (const [index, { id }] of volumes.entries()) {
        t.true((await readFile(road.disk(slotOf(index)))).equals(bytesOf(id)), `${slotOf(index)} bears ${id}`);
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
      t.true(attached.commands + detached.commands <= count * mostCommandsOf[kind], `${attached.commands} + ${detached.commands}`);
    },
  );
}
