import type { AttachableSource, Surroundings } from '@vbs/conformance';
import { type Access, type Call, createLocalMachine, type Logger, openInstance } from '@vbs/core';
import nbdPlugin from '@vbs/plugin-nbd';
import { makeFileVolume } from './file-volume.js';

const log: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const newCall = (): Call => ({ signal: AbortSignal.timeout(20_000), operationId: 'op-1', epoch: 1, log, progress: () => undefined });
let drawn = 0;

/** A file, served by a real NBD exporter of its own. */
export async function makeNbdSource(
  surroundings: Surroundings,
  { sizeBytes, access }: { readonly sizeBytes: number; readonly access: Access },
): Promise<AttachableSource> {
  const number = String(++drawn).padStart(17, '0');
  const volume = await makeFileVolume(surroundings, sizeBytes);
  const name = `vs${number}/nbd`;
  const stateDirectory = surroundings.directory;
  const { contract, close } = await openInstance(nbdPlugin, 'targetExporter', {
    name,
    configuration: {
      name,
      path: '/nbd',
      plugin: 'nbd',
      default: false,
      openNetwork: false,
      commands: {},
      timeLimits: {},
      config: { port: 0 },
    },
    machine: createLocalMachine({ name: 'local', stateDirectory, log }),
    store: { id: '0'.repeat(32), knowsPool: false },
    baseDirectory: stateDirectory,
    stateDirectory,
    log,
  });
  const exportId = `exp-${number}`;
  const serial = `vol${number}`;
  const exported = { id: `vol-${number}`, sizeBytes, locator: volume.locator };
  const connection = await contract.createExport(newCall(), { exportId, volume: exported, access, serial });
  return {
    ...volume,
    source: { kind: 'connection', connection },
    serial,
    grow: async (larger) => {
      await volume.grow(larger);
      await contract.extendExport(newCall(), { exportId, volume: { ...exported, sizeBytes: larger } });
    },
    remove: async () => {
      await close();
      await volume.remove();
    },
  };
}
