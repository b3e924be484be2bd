import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { BlockStore, LocalMachine, Logger, Machines, Operation, Services } from '@vbs/core';
import type { Container } from '@vbs/core/di';
import type { StoreOverrides } from '@vbs/core/internal/compose.js';
import { DefaultMachines } from '@vbs/core/internal/machine/machines.js';
import type { MetadataStore } from '@vbs/core/internal/metadata/metadata-store.js';
import { openStore } from '@vbs/core/internal/open-block-store.js';
import { tokens } from '@vbs/core/internal/tokens.js';
import type { World } from './world.js';
import { worldPlugin } from './world-plugin.js';

export const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** Of every method; a late effect comes after it and the grace. */
const limitMs = 200;
const graceMs = 40;
const backend = ['createVolume', 'deleteVolume', 'listVolumes', 'getCapacity', 'createSnapshot', 'deleteSnapshot', 'listSnapshots'];
const limits = (...methods: readonly string[]) => Object.fromEntries(methods.map((method) => [method, limitMs]));
const timeLimits = {
  backend: limits(...backend, 'populateVolume', 'cloneVolume', 'extendVolume'),
  exporter: limits('createExport', 'deleteExport', 'listExports', 'ensureExports', 'revokeAccess', 'extendExport'),
  initiator: limits('getIdentity', 'connect', 'disconnect', 'listConnections', 'extendConnection'),
  hypervisor: limits('identifyVm', 'canonicalSlot', 'attachDevice', 'detachDevice', 'listDevices', 'extendDevice'),
  resolver: limits('resolveInstance'),
};

export const worldTimes = {
  leaseMs: 30_000,
  scanMs: 30,
  restoreMs: 40,
  pollMs: 10,
  busyLimitMs: 10_000,
  drainMs: 200,
  leaveMs: 400,
  pauseMs: () => 30,
} as const satisfies StoreOverrides['times'];

export interface WorldStoreOptions {
  readonly services?: Partial<Services>;
  readonly times?: StoreOverrides['times'];
  readonly register?: NonNullable<StoreOverrides['register']>;
  /** False keeps the contract's time limits and a grace to match. */
  readonly shortLimits?: boolean;
}

/** An open store, and its metadata as they lie. */
export interface WorldStore {
  readonly store: BlockStore;
  readonly metadata: MetadataStore;
  readonly world: World;
}

/** Opens a store on a world; both lie in the directory, and outlive the store. */
export async function openWorldStore(directory: string, world: World, options: WorldStoreOptions = {}): Promise<WorldStore> {
  const { services, times, register, shortLimits = true } = options;
  const instance = (kind: keyof typeof timeLimits) => ({ plugin: 'world', ...(shortLimits ? { timeLimits: timeLimits[kind] } : {}) });
  const stateDirectory = join(directory, 'state');
  const configuration = {
    database: { client: 'sqlite3', filename: join(directory, 'vbs.sqlite') },
    stateDirectory,
    plugins: [worldPlugin(world)],
    volumeServers: { vs: { backends: { pool: instance('backend') }, exporters: { target: instance('exporter') } } },
    vmmNodes: { node: { initiators: { iscsi: instance('initiator') }, hypervisor: instance('hypervisor') } },
    resolvers: { cloud: instance('resolver') },
  };
  const logger = services?.logger ?? silent;
  let parts: Container | undefined;
  const store = await openStore(
    configuration,
    { logger, machines: new RebootableMachines(world, new DefaultMachines({ stateDirectory, log: logger })), ...services },
    {
      times: { ...worldTimes, ...times },
      layers: { retry: { retries: 0, firstPauseMs: 1 }, ...(shortLimits ? { graceMs } : {}), closeLimitMs: 500 },
      register: (container) => {
        parts = container;
        register?.(container);
      },
    },
  );
  if (parts === undefined) throw new TypeError('the store was not composed');
  return { store, world, metadata: parts.resolve(tokens.metadata) };
}

/** The machine of this process, booted again whenever the world's setting `boot-id` is another. */
class RebootableMachines implements Machines {
  readonly #machine: LocalMachine;

  constructor(world: World, { local }: DefaultMachines) {
    const bootId = async (): Promise<string> => world.settings.get('boot-id') ?? 'first-boot';
    this.#machine = new Proxy(local, {
      get(target, key) {
        if (key === 'bootId') return bootId;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  machine(): LocalMachine {
    return this.#machine;
  }
}

/** Operations that have not ended. */
export async function openOperations(store: BlockStore): Promise<readonly Operation[]> {
  const found = await Promise.all(['running', 'stuck'].map((state) => store.describeOperations({ state, limit: 1000 })));
  return found.flatMap(({ items }) => items);
}

/** Waits until every operation has ended. @throws Error: some have not within the limit. */
export async function untilQuiet(store: BlockStore, quietLimitMs = 10_000): Promise<void> {
  const deadline = performance.now() + quietLimitMs;
  for (;;) {
    const open = await openOperations(store);
    if (open.length === 0) return;
    if (performance.now() > deadline)
      throw new Error(
        `not quiet: ${open.map(({ id, kind, state, step, reason }) => `${kind} ${id} ${state} at ${step}: ${reason}`).join('; ')}`,
      );
    await pause(15);
  }
}
