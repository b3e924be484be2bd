/**
 * A process that opens a pool and copies, and stops at the first durable progress until there is a file `<directory>.go`.
 * Arguments: directory, then the method (`createSnapshot` or `populateVolume`) and its request as JSON.
 */
import { existsSync, writeSync } from 'node:fs';
import { newCall, openBackend } from './fixture.js';

const [directory = '', method, request = ''] = process.argv.slice(2);
function waitToGoOn(): void {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (let waits = 0; !existsSync(`${directory}.go`); waits++) {
    if (waits > 6_000) throw new Error('was never told to go on');
    Atomics.wait(clock, 0, 0, 10);
  }
}

const backend = await openBackend(directory, { store: { knowsPool: true } });
let stopped = false;
const call = newCall({
  progress: (doneBytes) => {
    if (stopped) return;
    stopped = true;
    writeSync(1, `copied ${doneBytes}\n`);
    waitToGoOn();
  },
});
if (method === 'createSnapshot') await backend.createSnapshot(call, JSON.parse(request));
else await backend.populateVolume(call, JSON.parse(request));
writeSync(1, 'done\n');
