/** A whole life of two volumes on a world, killed at a numbered place: `node kill-world-child.js DIRECTORY PLACE VARIANT`. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { blockBytes, World } from '../../support/world/world.js';
import { openWorldStore } from '../../support/world/world-store.js';
import { Acknowledgements, KillPoints, writeFailure, writeLabels } from './kill-points.js';

const [directory = '', place = '0', variant = 'sound'] = process.argv.slice(2);
const points = new KillPoints(Number(place), variant === 'late-commits');
const told = new Acknowledgements(directory);
const hour = 3_600_000;
const wait = { wait: true } as const;

/** Waits for the commit of the progress that was just reported, so that every run passes the same places. */
async function progressCommitted(places: number): Promise<void> {
  for (let tries = 0; points.labels.length < places + 2 && tries < 2_000; tries += 1) await pause(2);
}

async function live(): Promise<void> {
  const world = new World(join(directory, 'world'), {
    liveSnapshot: true,
    onCall: (phase, method) => points.pass(`${phase} ${method}`),
    onBlock: async (block) => {
      await progressCommitted(points.labels.length);
      points.pass(`copied block ${block}`);
    },
  });
  const { store } = await openWorldStore(directory, world, {
    shortLimits: false,
    // Nothing runs by the clock, so that every run passes the same places.
    times: { leaseMs: hour, scanMs: hour, restoreMs: hour, markMs: hour },
    register: points.register,
  });
  const first = await told.step('create first', () => store.createVolume({ size: 3 * blockBytes }, wait));
  await told.step('attach first', () => store.attachVolume({ volumeId: first.id, vmmHost: 'node', vmId: 'vm1', device: 'xvdb' }, wait));
  await told.step('write', async () => world.write('vm1', 'xvdb', 1, 'one') ?? undefined);
  const taken = await told.step('create snapshot', () => store.createSnapshot({ volumeId: first.id }, wait));
  const second = await told.step('create second', () => store.createVolume({ snapshotId: taken.id }, wait));
  await told.step('extend first', () => store.extendVolume({ volumeId: first.id, size: 4 * blockBytes }, wait));
  await told.step('attach second', () => store.attachVolume({ volumeId: second.id, vmmHost: 'node', vmId: 'vm2', device: 'xvdb' }, wait));
  await told.step('detach first', () => store.detachVolume({ volumeId: first.id }, wait));
  await told.step('delete snapshot', async () => (await store.deleteSnapshot({ snapshotId: taken.id }, wait)) ?? undefined);
  await told.step('delete first', async () => (await store.deleteVolume({ volumeId: first.id }, wait)) ?? undefined);
  await store.close();
}

live().then(
  () => writeLabels(directory, points),
  (error: unknown) => {
    writeFailure(directory, error);
    process.exitCode = 1;
  },
);
