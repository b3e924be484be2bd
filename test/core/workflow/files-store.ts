import { join } from 'node:path';
import type { BlockStore, Plugin } from '@vbs/core';
import type { StoreOverrides } from '@vbs/core/internal/compose.js';
import { openStore } from '@vbs/core/internal/open-block-store.js';
import file from '@vbs/plugin-file';
import nbd from '@vbs/plugin-nbd';
import { createSandbox, type SandboxVm } from '@vbs/plugin-sandbox';
import { silent } from '../../support/world/world-store.js';

export interface FilesOptions {
  readonly times?: NonNullable<StoreOverrides['times']>;
  readonly register?: NonNullable<StoreOverrides['register']>;
  /** Told right before and right after each call of a plugin. */
  readonly onCall?: (label: string) => void;
}

export interface FilesStore {
  readonly store: BlockStore;
  vm(vmId: string): SandboxVm;
}

/** Opens a store on the real plugins, all of it in the directory. */
export async function openFiles(directory: string, { times, register, onCall }: FilesOptions): Promise<FilesStore> {
  const sandbox = createSandbox();
  const told = <P extends Plugin>(plugin: P): P => (onCall === undefined ? plugin : tellCalls(plugin, onCall));
  const store = await openStore(
    {
      database: { client: 'sqlite3', filename: join(directory, 'vbs.sqlite') },
      plugins: [told(file), told(nbd), told(sandbox.plugin)],
      volumeServers: {
        vs: { backends: { files: { plugin: 'file', directory: join(directory, 'pool') } }, exporters: { nbd: { plugin: 'nbd', port: 0 } } },
      },
      vmmNodes: { sandbox: { hypervisor: { plugin: 'sandbox', vms: { vm1: {}, vm2: {} } } } },
    },
    { logger: silent },
    { ...(times === undefined ? {} : { times }), ...(register === undefined ? {} : { register }) },
  );
  return { store, vm: (vmId) => sandbox.vm('sandbox', vmId) };
}

const quiet = new Set(['markEpoch', 'close', 'check']);

/** The plugin, whose instances tell each of their calls. */
function tellCalls<P extends Plugin>(plugin: P, onCall: (label: string) => void): P {
  const provides = Object.entries(plugin.provides).map(([kind, provider]) => {
    const open = async (...parameters: never[]): Promise<object> => {
      const opened: object = await (provider.open as (...all: never[]) => Promise<object>)(...parameters);
      return new Proxy(opened, {
        get(target, key) {
          const value: unknown = Reflect.get(target, key, target);
          if (typeof value !== 'function') return value;
          const method = String(key);
          return async (...all: unknown[]): Promise<unknown> => {
            if (!quiet.has(method)) onCall(`before ${method}`);
            const answer: unknown = await Reflect.apply(value, target, all);
            if (!quiet.has(method)) onCall(`after ${method}`);
            return answer;
          };
        },
      });
    };
    return [kind, { ...provider, open }];
  });
  return { ...plugin, provides: Object.fromEntries(provides) } as P;
}
