/** Lines that must not compile: each expected error is the mistake that the types catch. Nothing here runs. */
import {
  definePlugin,
  type Hypervisor,
  hypervisor,
  type Plugin,
  type Schema,
  type Secret,
  type VolumeBackend,
  volumeBackend,
} from '@vbs/core';
import type { BlockStoreConfig, InstanceConfig } from '@vbs/core/internal/config/index.js';
import filePlugin from '@vbs/plugin-file';
import nbdPlugin from '@vbs/plugin-nbd';
import sandboxPlugin from '@vbs/plugin-sandbox';

declare const lvmSchema: Schema<{
  readonly volumeGroup: string;
  readonly thinPool?: string;
  readonly admin?: { readonly password: Secret };
}>;
declare const fileSchema: Schema<{ readonly directory: string }>;
declare const vmsSchema: Schema<{ readonly vms: Readonly<Record<string, object>> }>;
declare const backend: VolumeBackend & { readonly granularityBytes: number };
declare const machines: Hypervisor;

const lvm = definePlugin({
  name: 'lvm',
  apiVersion: 1,
  provides: {
    volumeBackend: volumeBackend({
      configSchema: lvmSchema,
      capabilities: [],
      locators: ['block', 'file'],
      machine: 'any',
      open: async () => backend,
    }),
  },
});
const file = definePlugin({
  name: 'file',
  apiVersion: 1,
  provides: {
    volumeBackend: volumeBackend({
      configSchema: fileSchema,
      capabilities: [],
      locators: ['block', 'file'],
      machine: 'local',
      open: async () => backend,
    }),
    hypervisor: hypervisor({
      configSchema: vmsSchema,
      capabilities: [],
      opens: [],
      lifetime: 'process',
      machine: 'local',
      open: async () => machines,
    }),
  },
});

declare function take<const Ps extends readonly (string | Plugin)[]>(config: BlockStoreConfig<Ps> | string): void;

take({
  plugins: [lvm, file],
  volumeServers: {
    vs1: {
      backends: {
        fast: {
          plugin: 'lvm',
          volumeGroup: 'vg0',
          default: true,
          commands: { create: 'lvcreate <name>' },
          timeLimits: { createVolume: 1 },
        },
        secret: { plugin: 'lvm', volumeGroup: 'vg0', admin: { password: { env: 'PASSWORD' } } },
        slow: { plugin: 'file', directory: '/x' },
      },
    },
  },
  vmmNodes: { here: { hypervisor: { plugin: 'file', vms: { vm1: {} } } } },
});

// a file by its path
take('vbs.yaml');

// plugins of this repository
take({
  plugins: [filePlugin, nbdPlugin, sandboxPlugin],
  volumeServers: {
    local: {
      backends: { files: { plugin: 'file', directory: '/srv/vbs', default: true } },
      exporters: { nbd: { plugin: 'nbd', host: '127.0.0.1', port: 10809 } },
    },
  },
  vmmNodes: { sandbox: { hypervisor: { plugin: 'sandbox', vms: { vm1: {}, vm2: {} } } } },
});

// a plugin by name: what it takes is known at run time alone
take({ plugins: [file, '@acme/vbs-zfs'], volumeServers: { vs1: { backends: { a: { plugin: 'zfs', pool: 'x' } } } } });

// a configuration that is a value of its own
export const named: BlockStoreConfig = { plugins: ['x'], resolvers: { cloud: { plugin: 'x', any: 1 } } };

type Backend = InstanceConfig<readonly [typeof lvm, typeof file], 'volumeBackend'>;
type Exporter = InstanceConfig<readonly [typeof lvm, typeof file], 'targetExporter'>;
export const right: Backend = { plugin: 'lvm', volumeGroup: 'vg0' };
// @ts-expect-error: a misspelt key of the plugin
export const misspelt: Backend = { plugin: 'lvm', volumeGruop: 'vg0' };
// @ts-expect-error: a key beside the right ones
export const beside: Backend = { plugin: 'lvm', volumeGroup: 'vg0', extra: 1 };
// @ts-expect-error: a plugin that is not in the list
export const stranger: Backend = { plugin: 'zfs', directory: '/x' };
// @ts-expect-error: the configuration of another plugin
export const mixed: Backend = { plugin: 'file', volumeGroup: 'vg0' };
// @ts-expect-error: plugins that provide no exporter
export const exporter: Exporter = { plugin: 'lvm', volumeGroup: 'vg0' };
// @ts-expect-error: a secret as plain text
export const plain: Backend = { plugin: 'lvm', volumeGroup: 'v', admin: { password: 'x' } };
// @ts-expect-error: a method of another contract
export const method: Backend = { plugin: 'file', directory: '/x', timeLimits: { createExport: 1 } };

// @ts-expect-error: a misspelt key in its place
take({ plugins: [lvm], volumeServers: { a: { backends: { b: { plugin: 'lvm', volumeGruop: 'vg0' } } } } });
// @ts-expect-error: a node without a hypervisor
take({ plugins: [file], vmmNodes: { here: {} } });
// @ts-expect-error: a database that there is not
take({ plugins: [file], database: { client: 'mysql', connection: 'x' } });
