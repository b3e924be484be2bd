import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBlockStore } from '@vbs/core';
import file from '@vbs/plugin-file';
import nbd from '@vbs/plugin-nbd';
import { createSandbox } from '@vbs/plugin-sandbox';
import type { Report } from './report.js';
import { type Hooks, Scene, vmmHost } from './scene.js';

/** A store of its own in a temporary folder; disposing it leaves nothing behind, whatever happened before. */
export interface OpenScene extends AsyncDisposable {
  readonly scene: Scene;
  readonly directory: string;
}

/** Opens the store that an integrator would: files served over NBD on loopback, to two VMs of the sandbox. */
export async function openScene(parts: { report: Report; hooks: Hooks; signal: AbortSignal }): Promise<OpenScene> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-demo-'));
  const removeDirectory = () => rm(directory, { recursive: true, force: true });
  try {
    const sandbox = createSandbox();
    const store = await openBlockStore({
      database: { client: 'sqlite3', filename: join(directory, 'vbs.sqlite') },
      plugins: [file, nbd, sandbox.plugin],
      volumeServers: {
        vs1: {
          backends: { files: { plugin: 'file', directory: join(directory, 'volumes') } },
          exporters: { nbd: { plugin: 'nbd', port: 0 } },
        },
      },
      vmmNodes: { [vmmHost]: { hypervisor: { plugin: 'sandbox', vms: { vm1: {}, vm2: {} } } } },
    });
    const scene = new Scene({ ...parts, store, vm: (vmId) => sandbox.vm(vmmHost, vmId) });
    const dispose = async () => {
      try {
        await store.close();
      } finally {
        await removeDirectory();
      }
    };
    return { scene, directory, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await removeDirectory();
    throw error;
  }
}
