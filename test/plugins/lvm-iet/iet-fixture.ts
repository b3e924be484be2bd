import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Access,
  type Call,
  definePlugin,
  type ExportRequest,
  type Machine,
  type OpenedInstance,
  openInstance,
  Secret,
} from '@vbs/core';
import type { IetConfig } from '@vbs/plugin-lvm-iet/internal/iet/config.js';
import { ietProvider } from '@vbs/plugin-lvm-iet/internal/iet/provider.js';
import type { ExecutionContext } from 'ava';
import { FaultPlan } from '../../stand-ins/frame/faults.js';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import type { IetClient } from '../../stand-ins/iet/iet-client.js';
import { IetWorld } from '../../stand-ins/iet/iet-world.js';

/** The exporter without the backend that its package also has. */
export const ietPlugin = definePlugin({ name: 'lvm-iet', apiVersion: 1, provides: { targetExporter: ietProvider } });

export const MiB = 1024 * 1024;
export const storeId = '0123456789abcdef0123456789abcdef';
export const node1 = 'iqn.2009-11.org.example:node1';
export const node2 = 'iqn.2009-11.org.example:node2';
export const portal = '127.0.0.1:3260';
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

type Opened = OpenedInstance<'targetExporter'>;

export interface OpenOptions {
  readonly config?: Partial<IetConfig>;
  readonly storeId?: string;
  readonly machine?: (machine: Machine) => Machine;
  readonly name?: string;
  readonly commands?: Readonly<Record<string, { readonly pattern: string; readonly withdraws: readonly string[] }>>;
}

export interface Fixture {
  readonly world: IetWorld;
  readonly machine: StandInMachine;
  readonly faults: FaultPlan;
  readonly opened: Opened;
  readonly exporter: Opened['contract'];
  open(options?: OpenOptions): Promise<Opened>;
  /** Makes a volume full of zeros, and a request to export it. */
  request(options?: {
    readonly access?: Access;
    readonly kind?: 'block' | 'file';
    readonly initiators?: readonly string[];
    readonly address?: number;
  }): Promise<ExportRequest<'block' | 'file'>>;
  /** As the node of a request logs in. */
  login(wanted: ExportRequest, options?: { readonly initiator?: string; readonly password?: string | null }): IetClient;
}

let drawn = 0;
const digits = (): string => (++drawn).toString(16).padStart(17, '0');

export async function makeFixture(t: ExecutionContext, config: Partial<IetConfig> = {}): Promise<Fixture> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-iet-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const world = new IetWorld(join(directory, 'root'));
  const faults = new FaultPlan();
  const stateDirectory = join(directory, 'state');
  const machine = new StandInMachine({ name: 'vs1', root: world.root, stateDirectory, tools: world.tools, faults });
  const open: Fixture['open'] = async (options = {}) => {
    const name = options.name ?? 'vs1/iet';
    const opened = await openInstance(ietPlugin, 'targetExporter', {
      name,
      configuration: {
        name,
        path: '/volumeServers/vs1/exporters/iet',
        plugin: 'lvm-iet',
        default: false,
        openNetwork: false,
        commands: { ...options.commands },
        timeLimits: {},
        config: { portal, ...config, ...options.config },
      },
      machine: options.machine?.(machine) ?? machine,
      store: { id: options.storeId ?? storeId, knowsPool: false },
      baseDirectory: directory,
      stateDirectory,
      log: silent,
      retry: { retries: 0, firstPauseMs: 1 },
    });
    t.teardown(() => opened.close());
    return opened;
  };
  const opened = await open();
  let next = opened.traits.addresses?.first ?? 1;
  return {
    world,
    machine,
    faults,
    opened,
    exporter: opened.contract,
    open,
    async request({ access = 'read-write', kind = 'block', initiators = [node1], address = next++ } = {}) {
      const id = `vol-${digits()}`;
      const exportId = `exp-${digits()}`;
      const path = kind === 'block' ? `/dev/vg0/${id}` : `/volumes/${id}`;
      if (kind === 'block') world.makeDevice(path, MiB);
      else world.makeFile(path, MiB);
      return {
        exportId,
        volume: { id, sizeBytes: MiB, locator: { kind, path } },
        access,
        serial: id.replace('-', ''),
        address,
        initiators,
        chap: { user: exportId, password: new Secret(`secret-of-${exportId}`) },
      };
    },
    login: ({ exportId, initiators, chap }, { initiator = initiators?.[0] ?? node1, password = chap?.password.reveal() ?? null } = {}) =>
      world.login({ iqn: iqnOf(exportId), initiator, ...(password === null ? {} : { chap: { user: exportId, password } }) }),
  };
}

/** The IQN of an export of the fixture's store. */
export function iqnOf(exportId: string): string {
  return `iqn.2009-11.edu.iu.vbs:${storeId.slice(0, 8)}:${exportId}`;
}
