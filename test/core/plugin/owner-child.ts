/** A process of its own for owner-lock.test: opens the instance, says so, and holds it until it is ended. */
import { once } from 'node:events';
import { openInstance } from '@vbs/core/internal/plugin/open-instance.js';
import { fakeLocalMachine, instanceConfiguration, memoryLog } from './fixtures.js';
import { processPlugin } from './process-plugin.js';

const [stateDirectory = '', name = ''] = process.argv.slice(2);
const opened = await openInstance(processPlugin, 'hypervisor', {
  name,
  configuration: instanceConfiguration({ name }),
  machine: fakeLocalMachine(),
  store: { id: 'a'.repeat(32), knowsPool: false },
  baseDirectory: stateDirectory,
  stateDirectory,
  log: memoryLog().log,
  endpoint: 'http://127.0.0.1:8080',
});
process.stdout.write(`${JSON.stringify({ ownedHere: opened.ownedHere })}\n`);
process.stdin.resume();
await once(process.stdin, 'end');
await opened.close();
