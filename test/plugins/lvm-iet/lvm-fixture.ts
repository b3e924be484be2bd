import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Call, type OpenedInstance, openInstance } from '@vbs/core';
import lvmPlugin, { type LvmConfig } from '@vbs/plugin-lvm-iet';
import type { ExecutionContext } from 'ava';
import { FaultPlan } from '../../stand-ins/frame/faults.js';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import { LvmWorld, lvmTools } from '../../stand-ins/lvm/index.js';

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const storeId = '0123456789abcdef0123456789abcdef';
export const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

let drawn = 0;
const id = (prefix: string) => (): string => `${prefix}${(++drawn).toString(16).padStart(17, '0')}`;
export const newVolumeId = id('vol-');
export const newSnapshotId = id('snap-');

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

export interface FixtureOptions {
  readonly thin?: boolean;
  readonly config?: Partial<LvmConfig>;
  readonly extentBytes?: number;
  readonly extents?: number;
  readonly zero?: boolean;
}

export type Backend = OpenedInstance<'volumeBackend'>['contract'];

export interface LvmFixture {
  readonly world: LvmWorld;
  readonly faults: FaultPlan;
  readonly machine: StandInMachine;
  readonly config: LvmConfig;
  open(options?: OpenOptions): Promise<OpenedInstance<'volumeBackend'>>;
  read(name: string, sizeBytes?: number): Promise<Buffer>;
  write(name: string, offset: number, bytes: Uint8Array): Promise<void>;
}

export interface OpenOptions {
  readonly storeId?: string;
  readonly knowsPool?: boolean;
  readonly name?: string;
  readonly config?: Partial<LvmConfig>;
}

/** A stand-in volume group of one test, whose extents are small so that its bytes are few. */
export async function makeGroup(t: ExecutionContext, options: FixtureOptions = {}): Promise<LvmFixture> {
  const { thin = false, extentBytes = 64 * KiB, extents = 1_000 } = options;
  const directory = await mkdtemp(join(tmpdir(), 'vbs-lvm-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const root = join(directory, 'root');
  await mkdir(root);
  const thinPool = { name: 'pool', extents: 200, ...(options.zero === undefined ? {} : { zero: options.zero }) };
  const world = new LvmWorld({ root, extentBytes, extents, ...(thin ? { thinPool } : {}) });
  const faults = new FaultPlan();
  const stateDirectory = join(directory, 'state');
  const machine = new StandInMachine({ root, stateDirectory, tools: lvmTools(world), faults, name: `stand-in-${++drawn}` });
  const config: LvmConfig = {
    volumeGroup: 'vg0',
    ...(thin ? { thinPool: 'pool' } : {}),
    pieceBytes: MiB,
    blockBytes: 64 * KiB,
    ...options.config,
  };
  return {
    world,
    faults,
    machine,
    config,
    open: (opening = {}) =>
      openInstance(lvmPlugin, 'volumeBackend', {
        name: opening.name ?? 'vs1/lvm',
        configuration: {
          name: opening.name ?? 'vs1/lvm',
          path: '/volumeServers/vs1/backends/lvm',
          plugin: 'lvm-iet',
          default: false,
          openNetwork: false,
          commands: {},
          timeLimits: {},
          config: { ...config, ...opening.config },
        },
        machine,
        store: { id: opening.storeId ?? storeId, knowsPool: opening.knowsPool ?? false },
        baseDirectory: directory,
        stateDirectory,
        log: silent,
        retry: { retries: 0, firstPauseMs: 1 },
      }),
    read: async (name, sizeBytes) => {
      const file = await open(world.dataFile(name), 'r');
      try {
        const { size } = await file.stat();
        const length = sizeBytes ?? size;
        return (await file.read(Buffer.alloc(length), 0, length, 0)).buffer.subarray(0, length);
      } finally {
        await file.close();
      }
    },
    write: async (name, offset, bytes) => {
      const file = await open(world.dataFile(name), 'r+');
      try {
        await file.write(bytes, 0, bytes.length, offset);
      } finally {
        await file.close();
      }
    },
  };
}

/** The backend of a fresh group, opened. */
export async function makeBackend(t: ExecutionContext, options: FixtureOptions = {}) {
  const group = await makeGroup(t, options);
  const opened = await group.open();
  return { ...group, opened, backend: opened.contract };
}
