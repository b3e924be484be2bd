import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import test from 'ava';
import { bytesOf, FaultyRoad } from './support/faulty-road.js';
import { type RoadKind, volumeBytes } from './support/road.js';

const wait = { wait: true } as const;
const variants: readonly (readonly [name: string, kind: RoadKind, thick: boolean])[] = [
  ['thin', 'LVM → vblade → AoE', false],
  ['thick', 'LVM → IET → iSCSI', true],
];

for (const [name, kind, thick] of variants) {
  const title = (what: string): string =>
    `road ${kind}, ${name}, on stand-in tools › ${what} ends well whichever of its commands meets whichever fault`;

  test(title('create-volume'), async (t) => {
    const faulty = await FaultyRoad.make(t, kind, { thick });
    const { store, road } = faulty;
    const before = road.server.lvs;
    const commands = await faulty.eachFault(async (given) => {
      const { label } = await faulty.meet(given, (options) => store.createVolume({ size: volumeBytes }, options));
      const [made] = (await store.describeVolumes()).items.filter(({ id }) => id !== faulty.volumeId && !faulty.isNeighbour(id));
      if (made?.state === 'available') {
        t.true((await readFile(road.server.lvm.dataFile(made.id))).equals(Buffer.alloc(volumeBytes)), `${label}: zeros`);
        await faulty.attach({}, made.id);
        await faulty.detach({}, made.id);
      } else t.is(made?.state, 'error', label);
      if (made !== undefined) await store.deleteVolume({ volumeId: made.id }, wait);
      t.deepEqual(road.server.lvs, before, label);
      faulty.requireNothingLeft(label);
    });
    t.log(`${commands} commands`);
    t.true(commands >= 2);
  });

  test(title('delete-volume'), async (t) => {
    const faulty = await FaultyRoad.make(t, kind, { thick });
    const { store, road } = faulty;
    const before = road.server.lvs;
    const commands = await faulty.eachFault(async (given) => {
      const { id } = await store.createVolume({ size: volumeBytes }, wait);
      await writeFile(road.server.lvm.dataFile(id), bytesOf(id));
      const { label } = await faulty.meet(given, (options) => store.deleteVolume({ volumeId: id }, options));
      if ((await store.describeVolumes()).items.some((volume) => volume.id === id)) {
        t.is(await faulty.volumeState(id), 'available', label);
        t.true((await readFile(road.server.lvm.dataFile(id))).equals(bytesOf(id)), `${label}: bytes`);
        await store.deleteVolume({ volumeId: id }, wait);
      }
      t.deepEqual(road.server.lvs, before, label);
      t.false(existsSync(road.server.lvm.device(id)), label);
    });
    t.log(`${commands} commands`);
    t.true(commands >= 2);
  });

  test(title('create-snapshot'), async (t) => {
    const faulty = await FaultyRoad.make(t, kind, { thick });
    const { store, road, volumeId } = faulty;
    const before = road.server.lvs;
    const commands = await faulty.eachFault(async (given) => {
      const { operation, label } = await faulty.meet(given, (options) => store.createSnapshot({ volumeId }, options));
      const [made] = (await store.describeSnapshots()).items;
      t.is(made?.state, operation?.state === 'succeeded' ? 'completed' : 'error', label);
      if (made?.state === 'completed') {
        t.true((await readFile(road.server.lvm.dataFile(made.id))).equals(bytesOf(volumeId)), `${label}: bytes`);
      } else t.deepEqual(road.server.lvs, before, label);
      if (made !== undefined) await store.deleteSnapshot({ snapshotId: made.id }, wait);
      t.deepEqual(road.server.lvs, before, label);
      await faulty.attach();
      await faulty.requireBytes(label);
      await faulty.detach();
    });
    t.log(`${commands} commands`);
    t.true(commands >= 2);
  });

  test(title('delete-snapshot'), async (t) => {
    const faulty = await FaultyRoad.make(t, kind, { thick });
    const { store, road, volumeId } = faulty;
    const before = road.server.lvs;
    const commands = await faulty.eachFault(async (given) => {
      const { id: snapshotId } = await store.createSnapshot({ volumeId }, wait);
      const { label } = await faulty.meet(given, (options) => store.deleteSnapshot({ snapshotId }, options));
      const [left] = (await store.describeSnapshots()).items;
      if (left !== undefined) {
        t.is(left.state, 'completed', label);
        t.true((await readFile(road.server.lvm.dataFile(snapshotId))).equals(bytesOf(volumeId)), `${label}: bytes`);
        await store.deleteSnapshot({ snapshotId }, wait);
      }
      t.deepEqual(road.server.lvs, before, label);
    });
    t.log(`${commands} commands`);
    t.true(commands >= 2);
    await faulty.attach();
    await faulty.requireBytes('at the end');
    await faulty.detach();
  });

  test(title('extend-volume'), async (t) => {
    const faulty = await FaultyRoad.make(t, kind, { thick });
    const { store, road } = faulty;
    const before = road.server.lvs;
    const grown = 2 * volumeBytes;
    const commands = await faulty.eachFault(async (given) => {
      const { id: volumeId } = await store.createVolume({ size: volumeBytes }, wait);
      await writeFile(road.server.lvm.dataFile(volumeId), bytesOf(volumeId));
      const { error, label } = await faulty.meet(given, (options) => store.extendVolume({ volumeId, size: grown }, options));
      const [seen] = (await store.describeVolumes({ ids: [volumeId] })).items;
      t.is(seen?.state, 'available', label);
      if (seen?.sizeBytes !== grown) {
        t.truthy(error, label);
        t.is(seen?.sizeBytes, volumeBytes, label);
        await store.extendVolume({ volumeId, size: grown }, wait);
      }
      const bytes = await readFile(road.server.lvm.dataFile(volumeId));
      t.true(bytes.equals(Buffer.concat([bytesOf(volumeId), Buffer.alloc(volumeBytes)])), `${label}: old bytes, then zeros`);
      await faulty.attach({}, volumeId);
      await faulty.detach({}, volumeId);
      await store.deleteVolume({ volumeId }, wait);
      t.deepEqual(road.server.lvs, before, label);
    });
    t.log(`${commands} commands`);
    t.true(commands >= 2);
  });

  test(title('a volume from a snapshot'), async (t) => {
    const faulty = await FaultyRoad.make(t, kind, { thick });
    const { store, road, volumeId } = faulty;
    const { id: snapshotId } = await store.createSnapshot({ volumeId }, wait);
    const before = road.server.lvs;
    const commands = await faulty.eachFault(async (given) => {
      const { label } = await faulty.meet(given, (options) => store.createVolume({ snapshotId }, options));
      const [made] = (await store.describeVolumes()).items.filter(({ id }) => id !== volumeId && !faulty.isNeighbour(id));
      if (made?.state === 'available') {
        await faulty.attach({}, made.id);
        await faulty.requireBytes(label, made.id, volumeId);
        await faulty.detach({}, made.id);
      } else t.is(made?.state, 'error', label);
      if (made !== undefined) await store.deleteVolume({ volumeId: made.id }, wait);
      t.deepEqual(road.server.lvs, before, label);
    });
    t.log(`${commands} commands`);
    t.true(commands >= 2);
    await store.deleteSnapshot({ snapshotId }, wait);
  });
}
