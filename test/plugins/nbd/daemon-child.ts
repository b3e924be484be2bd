/**
 * A VBS that is about to be killed: opens an exporter of `process: own` in a state directory, and exports a file when one is
 * named. Arguments: the state directory, an export id, its file, its size. Prints a line of JSON, and stays until it is ended.
 */

import { openOwn } from './daemon-fixture.js';
import { call, exportRequest } from './nbd-fixture.js';

const [, , stateDirectory = '', exportId, path = '', size = '0'] = process.argv;
setInterval(() => undefined, 1_000);
try {
  const exporter = await openOwn(stateDirectory);
  const connection =
    exportId === undefined ? null : await exporter.contract.createExport(call(), exportRequest(exportId, path, Number(size)));
  console.log(JSON.stringify({ opened: true, connection }));
} catch (error) {
  console.log(JSON.stringify({ opened: false, message: String(error) }));
}
