import path from 'node:path';
import { createLocalMachine, openInstance } from '@vbs/core';
import nbd from '@vbs/plugin-nbd';
import { serveParent } from '../harness/serve-parent.js';
import { silent } from '../harness/tools.js';

export interface VbsNbdArgument {
  /** An empty folder of its own. */
  readonly directory: string;
  readonly socket: string;
  /** The file to serve. */
  readonly file: string;
  readonly sizeBytes: number;
}

export interface VbsNbdReady {
  readonly uri: string;
}

const name = 'vs1/nbd';
const serial = 'vol00000000000000001';

await serveParent<VbsNbdArgument, VbsNbdReady>(async ({ directory, socket, file, sizeBytes }) => {
  const opened = await openInstance(nbd, 'targetExporter', {
    name,
    configuration: {
      name,
      path: '/volumeServers/vs1/exporters/nbd',
      plugin: nbd.name,
      default: false,
      openNetwork: false,
      commands: {},
      timeLimits: {},
      config: { socket },
    },
    machine: createLocalMachine({ name: 'local', stateDirectory: path.join(directory, 'state'), log: silent }),
    store: { id: '0'.repeat(32), knowsPool: false },
    baseDirectory: directory,
    stateDirectory: path.join(directory, 'state'),
    log: silent,
  });
  const call = { signal: new AbortController().signal, operationId: '', epoch: 1, log: silent, progress: () => undefined };
  const connection = await opened.contract.createExport(call, {
    exportId: 'exp-00000000000000001',
    volume: { id: 'vol-00000000000000001', sizeBytes, locator: { kind: 'file', path: file } },
    access: 'read-write',
    serial,
  });
  if (connection.protocol !== 'nbd') throw new TypeError(`an NBD exporter answers a connection by ${connection.protocol}`);
  return { ready: { uri: connection.uri }, close: () => opened.close() };
});
