import { randomBytes } from 'node:crypto';
import { MiB, type Scene } from './scene.js';

const device = 'xvdb';

/** Figure 2 of the paper: volumes outlive their attachment, and take their data from one VM to the other. */
export async function figure2(scene: Scene): Promise<void> {
  scene.report.figure('Figure 2', 'Two volumes change places between two VMs; their data goes with them.');
  const [bytesA, bytesB] = [written(), written()];
  const a = await scene.createVolume('volume A');
  const b = await scene.createVolume('volume B');
  await scene.attach(a, 'vm1', device);
  await scene.attach(b, 'vm2', device);
  await scene.write('vm1', device, 0, bytesA);
  await scene.write('vm2', device, 0, bytesB);
  await scene.detach(a);
  await scene.detach(b);
  await scene.attach(a, 'vm2', device);
  await scene.attach(b, 'vm1', device);
  await scene.expect('vm2', device, "A's data, then zeros,", withZeros(bytesA));
  await scene.expect('vm1', device, "B's data, then zeros,", withZeros(bytesB));
  await scene.detach(a);
  await scene.detach(b);
  await scene.deleteVolume(a);
  await scene.deleteVolume(b);
}

function written(): Buffer {
  return randomBytes(4 * MiB);
}

/** What was written, and the zeros that follow it on a new volume. */
function withZeros(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(MiB)]);
}
