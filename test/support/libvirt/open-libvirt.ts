import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Call, createLocalMachine, type Machine, type OpenedInstance, openInstance } from '@vbs/core';
import libvirtPlugin, { type LibvirtConfig } from '@vbs/plugin-libvirt';
import type { ExecutionContext } from 'ava';

export const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

export function call(overrides: Partial<Call> = {}): Call {
  return {
    signal: AbortSignal.timeout(60_000),
    operationId: 'op-00000000000000001',
    epoch: 1,
    log: silent,
    progress: () => undefined,
    ...overrides,
  };
}

export interface OpenOptions {
  /** Of another that was opened, whose guards it then shares. */
  readonly directory?: string;
  readonly machine?: (machine: Machine) => Machine;
  readonly commands?: Readonly<Record<string, string>>;
}

/** A hypervisor as the core opens it, without its retries; closed with the test. */
export async function openLibvirt(
  t: ExecutionContext,
  config: LibvirtConfig,
  options: OpenOptions = {},
): Promise<OpenedInstance<'hypervisor'> & { readonly directory: string }> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'vbs-libvirt-node-')));
  if (options.directory === undefined) t.teardown(() => rm(directory, { recursive: true, force: true }));
  const machine = createLocalMachine({ name: 'local', stateDirectory: join(directory, 'state'), log: silent });
  const name = 'kvm1/hypervisor';
  const opened = await openInstance(libvirtPlugin, 'hypervisor', {
    name,
    configuration: {
      name,
      path: '/vmmNodes/kvm1/hypervisor',
      plugin: 'libvirt',
      default: false,
      openNetwork: false,
      commands: Object.fromEntries(Object.entries(options.commands ?? {}).map(([key, pattern]) => [key, { pattern, withdraws: [] }])),
      timeLimits: {},
      config: { ...config },
    },
    machine: options.machine?.(machine) ?? machine,
    store: { id: '0123456789abcdef0123456789abcdef', knowsPool: false },
    baseDirectory: directory,
    stateDirectory: join(directory, 'state'),
    log: silent,
    retry: { retries: 0, firstPauseMs: 1 },
  });
  t.teardown(() => opened.close());
  return Object.assign(opened, { directory });
}
