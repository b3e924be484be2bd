import { join, resolve } from 'node:path';
import type { BlockStoreConfig } from './block-store-config.js';

export interface DefaultConfigurationOptions {
  /** Where the database and the volumes lie. */
  readonly dataDirectory: string;
  /** The NBD port on 127.0.0.1. */
  readonly port: number;
}

/**
 * What runs without a configuration file: a backend of files and NBD on 127.0.0.1 on a volume server `local`, and a VMM host
 * `sandbox` with the VMs `vm1` and `vm2`. Needs the packages of the plugins file, nbd and sandbox.
 */
export function defaultConfiguration({ dataDirectory, port }: DefaultConfigurationOptions): BlockStoreConfig {
  const directory = resolve(dataDirectory);
  return {
    version: 1,
    database: { client: 'sqlite3', filename: join(directory, 'vbs.sqlite') },
    stateDirectory: directory,
    plugins: ['@vbs/plugin-file', '@vbs/plugin-nbd', '@vbs/plugin-sandbox'],
    volumeServers: {
      local: {
        backends: { files: { plugin: 'file', directory: join(directory, 'pool'), default: true } },
        exporters: { nbd: { plugin: 'nbd', host: '127.0.0.1', port } },
      },
    },
    vmmNodes: {
      sandbox: { hypervisor: { plugin: 'sandbox', vms: { vm1: {}, vm2: {} } } },
    },
  };
}
