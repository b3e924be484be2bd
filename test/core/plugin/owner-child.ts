/** A process of its own for owner-lock.test: opens the instance, says so or why not, and holds it until it is ended. */
import { once } from 'node:events';
import { isVbsError } from '@vbs/core';
import { openInstance } from '@vbs/core/internal/plugin/open-instance.js';
import { fakeLocalMachine, instanceConfiguration, memoryLog } from './fixtures.js';
import { processPlugin } from './process-plugin.js';

const [stateDirectory = '', name = ''] = process.argv.slice(2);
const say = (answer: object) => process.stdout.write(`${JSON.stringify(answer)}\n`);

try {
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
  say({ ownedHere: opened.ownedHere });
  process.stdin.resume();
  await once(process.stdin, 'end');
  await opened.close();
} catch (error) {
  if (!isVbsError(error)) throw error;
  say({ code: error.code, message: error.message });
}
