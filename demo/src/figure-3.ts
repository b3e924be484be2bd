import { randomBytes } from 'node:crypto';
import { MiB, type Scene } from './scene.js';

/** Where the volumes made from the snapshot are written: within its data, so that sharing would show. */
const changedAt = MiB;

/** Figure 3 of the paper: volumes made from one snapshot start with its data, and go their own ways. */
export async function figure3(scene: Scene): Promise<void> {
  scene.report.figure('Figure 3', 'Two volumes from one snapshot: the same data at first, then each its own; the snapshot stays.');
  const base = randomBytes(4 * MiB);
  const [changeD, changeE] = [randomBytes(MiB), randomBytes(MiB)];
  const origin = await scene.createVolume('volume C');
  await scene.attach(origin, 'vm1', 'xvdb');
  await scene.write('vm1', 'xvdb', 0, base);
  await scene.detach(origin);
  const snapshot = await scene.createSnapshot(origin, 'snapshot of C');

  const d = await scene.createVolume('volume D', snapshot);
  const e = await scene.createVolume('volume E', snapshot);
  await scene.attach(d, 'vm1', 'xvdb');
  await scene.attach(e, 'vm2', 'xvdb');
  await scene.expect('vm1', 'xvdb', "C's data", base);
  await scene.expect('vm2', 'xvdb', "C's data", base);
  await scene.write('vm1', 'xvdb', changedAt, changeD);
  await scene.write('vm2', 'xvdb', changedAt, changeE);
  await scene.expect('vm1', 'xvdb', "C's data with its own change", changed(base, changeD));
  await scene.expect('vm2', 'xvdb', "C's data with its own change", changed(base, changeE));

  const f = await scene.createVolume('volume F', snapshot);
  await scene.attach(f, 'vm1', 'xvdc');
  await scene.expect('vm1', 'xvdc', "the snapshot's data, unchanged,", base);

  for (const volume of [d, e, f]) await scene.detach(volume);
  for (const volume of [d, e, f]) await scene.deleteVolume(volume);
  await scene.deleteSnapshot(snapshot);
  await scene.deleteVolume(origin);
}

function changed(base: Buffer, change: Buffer): Buffer {
  const bytes = Buffer.from(base);
  change.copy(bytes, changedAt);
  return bytes;
}
