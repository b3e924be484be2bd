import { setTimeout as pause } from 'node:timers/promises';
import { Lab } from '@vbs/lab';
import test from 'ava';
import type { RoadKind } from './road.js';
import { filesOf, makeFileSystem, mountDisk, readFile, unmountDisk, writeFile } from './xen-guest-files.js';
import { newXenRoad } from './xen-road.js';

let lab: Lab;

/** Each file of them has guests of its own. */
export function bringUp(): () => Lab {
  test.before(async (t) => {
    t.timeout(600_000);
    lab = await Lab.up({ guests: { vs1: 'storage', dom0: 'xen' } });
  });
  test.after.always(async () => await lab?.close());
  return () => lab;
}

/** What can be done at once is: a command takes Dom0 seconds. */
export const figure2 = test.macro<[RoadKind]>(async (t, kind) => {
  const road = await newXenRoad(t, lab, kind);
  const [one, other] = [road.dom0.domu('domu1'), road.dom0.domu('domu2')];
  const [a, b] = await Promise.all([road.volume(), road.volume(), other.start()]);
  await Promise.all([road.attach(a, one.name), road.attach(b, other.name)]);
  const [ofA, ofB] = await Promise.all([makeFileSystem(one, 'a'), makeFileSystem(other, 'b')]);
  t.not(ofA, ofB);
  await Promise.all([one, other].map(unmountDisk));
  await Promise.all([a, b].map(road.detach));
  await Promise.all([road.attach(a, other.name), road.attach(b, one.name)]);
  await Promise.all([one, other].map(mountDisk));
  t.is(await readFile(other, 'a'), ofA);
  t.is(await readFile(one, 'b'), ofB);
  t.deepEqual([await filesOf(other), await filesOf(one)], [['a'], ['b']]);
  await Promise.all([one, other].map(unmountDisk));
  await Promise.all([a, b].map(road.detach));
  await road.requireNothingLeft(t, a, b);
});

export const figure3 = test.macro<[RoadKind]>(async (t, kind) => {
  const road = await newXenRoad(t, lab, kind);
  const [one, other] = [road.dom0.domu('domu1'), road.dom0.domu('domu2')];
  const [volume] = await Promise.all([road.volume(), other.start()]);
  await road.attach(volume, one.name);
  const before = await makeFileSystem(one, 'before');
  // The file system is in use: what it has synced is in the snapshot.
  const snapshot = await road.store.createSnapshot({ volumeId: volume.id }, { wait: true });
  const after = await writeFile(one, 'after');
  const clone = await road.store.createVolume({ size: volume.sizeBytes, snapshotId: snapshot.id }, { wait: true });
  await road.attach(clone, other.name);
  await mountDisk(other);
  t.is(await readFile(other, 'before'), before);
  t.deepEqual(await filesOf(other), ['before']);
  t.deepEqual(await filesOf(one), ['after', 'before']);
  t.is(await readFile(one, 'after'), after);
  await Promise.all([one, other].map(unmountDisk));
  await Promise.all([volume, clone].map(road.detach));
  await road.store.deleteSnapshot({ snapshotId: snapshot.id }, { wait: true });
  await road.requireNothingLeft(t, volume, clone);
});

/** Waits until something is so. @throws after three minutes. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 180_000; !(await isSo()); await pause(500)) {
    if (Date.now() > deadline) throw new Error(`not after three minutes: ${what}`);
  }
}
