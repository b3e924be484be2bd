import { join } from 'node:path';
import { type Call, createLocalMachine, type Machine, type OpenedInstance, openInstance } from '@vbs/core';
import tgtPlugin, { type TgtConfig } from '@vbs/plugin-tgt';

export const storeId = '0123456789abcdef0123456789abcdef';
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

/** An exporter as the core opens it, without its retries. */
export async function openTgt(
  directory: string,
  config: TgtConfig,
  options: { readonly storeId?: string; readonly machine?: (machine: Machine) => Machine; readonly name?: string } = {},
): Promise<OpenedInstance<'targetExporter'>> {
  const stateDirectory = join(directory, 'state');
  const machine = createLocalMachine({ name: 'local', stateDirectory, log: silent });
  const name = options.name ?? 'vs1/tgt';
  return openInstance(tgtPlugin, 'targetExporter', {
    name,
    configuration: {
      name,
      path: '/volumeServers/vs1/exporters/tgt',
      plugin: 'tgt',
      default: false,
      openNetwork: false,
      commands: {},
      timeLimits: {},
      config: { ...config },
    },
    machine: options.machine?.(machine) ?? machine,
    store: { id: options.storeId ?? storeId, knowsPool: false },
    baseDirectory: directory,
    stateDirectory,
    log: silent,
    retry: { retries: 0, firstPauseMs: 1 },
  });
}
