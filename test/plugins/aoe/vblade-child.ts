import { createLocalMachine, type ExportRequest } from '@vbs/core';
import { call, openExporter, silent } from './exporter-stage.js';
import { inNamespace } from './in-namespace.js';

/** A process of VBS that makes exports, one after the other, and says so; whoever started it kills it meanwhile. */
const [, , directory = '', stateDirectory = '', namespace = '', netif = '', given = ''] = process.argv;
const local = createLocalMachine({ name: 'local', stateDirectory, log: silent });
// Without a name it is in the namespace itself.
const machine = namespace === '' ? local : inNamespace(local, namespace);
const { contract } = await openExporter(directory, machine, { config: { interface: netif } });
for (const wanted of JSON.parse(given) as readonly ExportRequest<'file'>[]) {
  await contract.createExport(call(), wanted);
  process.stdout.write(`${JSON.stringify({ made: wanted.exportId })}\n`);
}
// Until it is killed.
setInterval(() => undefined, 1_000);
