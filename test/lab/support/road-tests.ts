import { Lab } from '@vbs/lab';
import test from 'ava';
import { diskOf, MiB, newRoad, nodeOf, type RoadKind, readFile, type VmId, writeFile, writeFileSystem } from './road.js';

let lab: Lab;

/** Each file of them has guests of its own. */
export function bringUp(): void {
  test.before(async () => {
    lab = await Lab.up();
  });
  test.after.always(async () => await lab?.close());
}

const guestOf = (vmId: VmId) => lab.guest(nodeOf[vmId]);

export const figure2 = test.macro<[RoadKind]>(async (t, kind) => {
  const road = await newRoad(t, lab, kind);
  const [a, b] = [await road.volume(), await road.volume()];
  await road.attach(a, 'vm1');
  await road.attach(b, 'vm2');
  const ofA = await writeFileSystem(guestOf('vm1'), diskOf('vm1'), 'A');
  const ofB = await writeFileSystem(guestOf('vm2'), diskOf('vm2'), 'B');
  await road.detach(a);
  await road.detach(b);
  await road.attach(a, 'vm2');
  await road.attach(b, 'vm1');
  t.is(await readFile(guestOf('vm2'), diskOf('vm2')), ofA);
  t.is(await readFile(guestOf('vm1'), diskOf('vm1')), ofB);
  for (const volume of [a, b]) {
    await road.detach(volume);
    await road.store.deleteVolume({ volumeId: volume.id }, { wait: true });
  }
  await road.requireNothingLeft(t);
});

export const figure3 = test.macro<[RoadKind]>(async (t, kind) => {
  const road = await newRoad(t, lab, kind);
  const volume = await road.volume();
  await road.attach(volume, 'vm1');
  const before = await writeFileSystem(guestOf('vm1'), diskOf('vm1'), 'before');
  const snapshot = await road.store.createSnapshot({ volumeId: volume.id }, { wait: true });
  const after = await writeFile(guestOf('vm1'), diskOf('vm1'), 'after');
  t.not(before, after);
  const clone = await road.store.createVolume({ size: 96 * MiB, snapshotId: snapshot.id }, { wait: true });
  await road.attach(clone, 'vm2');
  t.is(await readFile(guestOf('vm2'), diskOf('vm2')), before);
  t.is(await readFile(guestOf('vm1'), diskOf('vm1')), after);
  for (const { id } of [volume, clone]) await road.detach({ id });
  await road.store.deleteSnapshot({ snapshotId: snapshot.id }, { wait: true });
  for (const { id } of [volume, clone]) await road.store.deleteVolume({ volumeId: id }, { wait: true });
  await road.requireNothingLeft(t);
});

export const rebooted = test.macro<[RoadKind]>(async (t, kind) => {
  t.timeout(240_000);
  const road = await newRoad(t, lab, kind);
  const volume = await road.volume();
  await road.attach(volume, 'vm1');
  const written = await writeFileSystem(guestOf('vm1'), diskOf('vm1'), 'outlives');
  const at = '/mnt/outlives';
  await guestOf('vm1').script(`mkdir -p ${at}; mount ${diskOf('vm1')} ${at}`);
  await lab.guest('vs1').reboot();
  // The store finds the export gone, and makes it again; the node's I/O waits for it meanwhile.
  const said = await guestOf('vm1').script(`
    echo 3 >/proc/sys/vm/drop_caches
    sha256sum <${at}/data
    head -c 8M <(yes goes on) >${at}/more; sync ${at}/more
    echo 3 >/proc/sys/vm/drop_caches
    cmp ${at}/more <(head -c 8M <(yes goes on)) && echo same
    umount ${at}`);
  t.deepEqual(said.trim().split(/\s+-?\s*/), [written, 'same']);
  await road.detach(volume);
  await road.store.deleteVolume({ volumeId: volume.id }, { wait: true });
  await road.requireNothingLeft(t);
});

export const killed = test.macro<[RoadKind]>(async (t, kind) => {
  t.timeout(240_000);
  const road = await newRoad(t, lab, kind);
  const volume = await road.volume();
  await road.attach(volume, 'vm1');
  const written = await writeFileSystem(guestOf('vm1'), diskOf('vm1'), 'survives its node');
  await guestOf('vm1').kill();
  await road.store.detachVolume({ volumeId: volume.id, force: true, nodeIsDead: true }, { wait: true });
  await road.attach(volume, 'vm2');
  t.is(await readFile(guestOf('vm2'), diskOf('vm2')), written);
  await road.detach(volume);
  await road.store.deleteVolume({ volumeId: volume.id }, { wait: true });
});

export const thirty = test.macro<[RoadKind]>(async (t, kind) => {
  t.timeout(900_000);
  const road = await newRoad(t, lab, kind);
  const slots = Array.from({ length: 30 }, (_, index) => `xvd${index < 25 ? '' : 'b'}${String.fromCharCode(98 + (index % 25))}`);
  const placed = slots.map((device, index) => ({ device, vm: (index % 2 === 0 ? 'vm1' : 'vm2') as VmId }));
  const volumes = await Promise.all(placed.map(() => road.volume(4 * MiB)));
  const marks = placed.map((place, index) => ({ ...place, volume: volumes[index] ?? fail() }));
  await Promise.all(marks.map(({ volume, vm, device }) => road.attach(volume, vm, device)));
  for (const vm of ['vm1', 'vm2'] as const) {
    const here = marks.filter((mark) => mark.vm === vm);
    await guestOf(vm).script(
      here.map(({ volume, device }) => `printf %s ${volume.id} | dd of=${diskOf(vm, device)} conv=notrunc,fsync status=none`).join('\n'),
    );
  }
  await Promise.all(marks.map(({ volume }) => road.detach(volume)));
  // Each goes to the other node, into another slot.
  const moved = marks.map((mark, index) => ({
    ...mark,
    vm: (mark.vm === 'vm1' ? 'vm2' : 'vm1') as VmId,
    device: slots[slots.length - 1 - index] ?? fail(),
  }));
  await Promise.all(moved.map(({ volume, vm, device }) => road.attach(volume, vm, device)));
  for (const vm of ['vm1', 'vm2'] as const) {
    const here = moved.filter((mark) => mark.vm === vm);
    const read = await guestOf(vm).script(here.map(({ device }) => `head -c 21 ${diskOf(vm, device)}; echo`).join('\n'));
    t.deepEqual(
      read.trim().split('\n'),
      here.map(({ volume }) => volume.id),
    );
  }
  await Promise.all(moved.map(({ volume }) => road.detach(volume)));
  await Promise.all(moved.map(({ volume }) => road.store.deleteVolume({ volumeId: volume.id }, { wait: true })));
  await road.requireNothingLeft(t);
});

function fail(): never {
  throw new Error('there are as many places as volumes');
}
