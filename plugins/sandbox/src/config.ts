import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import type { Schema } from '@vbs/core';
import type { NbdClientTls } from '@vbs/plugin-nbd/client';

/** One virtual machine of the sandbox. */
export interface VmConfig {
  /** Whether it runs from the start; true unless told. */
  readonly running?: boolean;
  /** How many disks it takes beside its own xvda; 25 (xvdb to xvdz) unless told. */
  readonly slots?: number;
}

/** What a sandbox hypervisor is configured with. */
export interface SandboxConfig {
  readonly vms: Readonly<Record<string, VmConfig>>;
  /** A detach that a busy guest does not answer is taken back at once; false unless told. */
  readonly withdraw?: boolean;
  /** For connecting and for each I/O request, in milliseconds; 10,000 unless told. */
  readonly ioLimitMs?: number;
  /** How the VMs reach exports over TLS; relative paths start from the folder of the configuration. */
  readonly tls?: NbdClientTls;
}

/** The same with absolute paths. */
export function withAbsolutePaths(config: SandboxConfig, baseDirectory: string): SandboxConfig {
  const { tls } = config;
  if (tls === undefined) return config;
  const absolute = (path: string): string => resolve(baseDirectory, path);
  return {
    ...config,
    tls: {
      ...tls,
      authority: absolute(tls.authority),
      ...(tls.certificate !== undefined && { certificate: absolute(tls.certificate) }),
      ...(tls.key !== undefined && { key: absolute(tls.key) }),
    },
  };
}

/** Where an instance of the static table runs; `running` unless told. */
export interface InstanceEntry {
  readonly vmmHost: string;
  readonly vmId: string;
  readonly state?: 'running' | 'pending' | 'terminated';
}

/** What a static cloud resolver is configured with. */
export interface StaticResolverConfig {
  readonly instances: Readonly<Record<string, InstanceEntry>>;
}

const require = createRequire(import.meta.url);

export const sandboxSchema = require('../config.schema.json') as Schema<SandboxConfig>;
export const staticResolverSchema = require('../resolver.schema.json') as Schema<StaticResolverConfig>;
