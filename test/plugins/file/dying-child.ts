/**
 * A process that makes a volume to be filled, fills it from a snapshot, and kills itself right before the n-th act that changes a
 * file; it says `done` when there were fewer. Arguments: directory, n, the volume's id, the snapshot's id, the size in bytes.
 */
import { writeSync } from 'node:fs';
import promises, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { newCall, openBackend } from './fixture.js';

const [directory = '', place = '', id = '', snapshotId = '', size = ''] = process.argv.slice(2);
const backend = await openBackend(directory, { store: { knowsPool: true } });
let acts = 0;
type Act = (...parameters: unknown[]) => unknown;

function dieBefore(target: object, names: readonly string[]): void {
  for (const name of names) {
    const real = Reflect.get(target, name) as Act;
    Reflect.set(target, name, function (this: unknown, ...parameters: unknown[]) {
      acts += 1;
      if (acts === Number(place)) process.kill(process.pid, 'SIGKILL');
      return Reflect.apply(real, this, parameters);
    });
  }
}

const probe: FileHandle = await promises.open(process.execPath, 'r');
dieBefore(Object.getPrototypeOf(probe), ['write', 'truncate', 'chmod', 'sync', 'datasync']);
await probe.close();
dieBefore(promises, ['link', 'rename', 'rm', 'unlink']);
syncBuiltinESMExports();

await backend.createVolume(newCall(), { id, sizeBytes: Number(size), toBeFilled: true });
await backend.populateVolume(newCall(), { id, snapshotId, fromBytes: 0 });
writeSync(1, 'done\n');
