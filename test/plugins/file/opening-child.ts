/** A process that opens a pool and writes what came of it as JSON. Argument: the directory. */
import { toVbsError } from '@vbs/core';
import { openBackend } from './fixture.js';

const [directory = ''] = process.argv.slice(2);
try {
  await openBackend(directory, { store: { knowsPool: true } });
  process.stdout.write('{}');
} catch (error) {
  process.stdout.write(JSON.stringify(toVbsError(error)));
}
