/** A life of two volumes on files, NBD and the sandbox, killed at a numbered place: `node kill-files-child.js DIRECTORY PLACE`. */

import { openFiles } from './files-store.js';
import { Acknowledgements, KillPoints, writeFailure, writeLabels } from './kill-points.js';

const [directory = '', place = '0'] = process.argv.slice(2);
const points = new KillPoints(Number(place));
const told = new Acknowledgements(directory);
const hour = 3_600_000;
const wait = { wait: true } as const;

async function live(): Promise<void> {
  const { store, vm } = await openFiles(directory, {
    times: { leaseMs: hour, scanMs: hour, restoreMs: hour, markMs: hour },
    register: points.register,
    onCall: points.pass,
  });
  const size = 64 * 1024;
  const first = await told.step('create first', () => store.createVolume({ size }, wait));
  await told.step('attach first', () => store.attachVolume({ volumeId: first.id, vmmHost: 'sandbox', vmId: 'vm1', device: 'xvdb' }, wait));
  await told.step('write', async () => {
    const disk = vm('vm1').disk('xvdb');
    await disk.write(4096, Buffer.alloc(4096, 'one'));
    await disk.flush();
    return undefined;
  });
  await told.step('detach first', () => store.detachVolume({ volumeId: first.id }, wait));
  const taken = await told.step('create snapshot', () => store.createSnapshot({ volumeId: first.id }, wait));
  const second = await told.step('create second', () => store.createVolume({ snapshotId: taken.id }, wait));
  await told.step('attach second', () =>
    store.attachVolume({ volumeId: second.id, vmmHost: 'sandbox', vmId: 'vm2', device: 'xvdb' }, wait),
  );
  await store.close();
}

live().then(
  () => writeLabels(directory, points),
  (error: unknown) => {
    writeFailure(directory, error);
    process.exitCode = 1;
  },
);
