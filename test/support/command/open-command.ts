import { type Call, type Machine, type OpenedInstance, openInstance, type Plugin } from '@vbs/core';

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

/** An instance as the core opens it, without its retries. */
export async function openCommand<K extends 'hypervisor' | 'initiator'>(
  plugin: Plugin,
  kind: K,
  directory: string,
  machine: Machine,
  config: Readonly<Record<string, unknown>>,
): Promise<OpenedInstance<K>> {
  const name = `node1/${kind}`;
  return await openInstance(plugin, kind, {
    name,
    configuration: {
      name,
      path: `/vmmNodes/node1/${kind}`,
      plugin: plugin.name,
      default: false,
      openNetwork: false,
      commands: {},
      timeLimits: {},
      config,
    },
    machine,
    store: { id: '0123456789abcdef0123456789abcdef', knowsPool: false },
    baseDirectory: directory,
    stateDirectory: `${directory}/state`,
    log: silent,
    retry: { retries: 0, firstPauseMs: 1 },
  });
}
