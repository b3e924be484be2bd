import { createHash, randomBytes } from 'node:crypto';
import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type BlockStore,
  type ErrorCode,
  isVbsError,
  type Logger,
  type Plugin,
  type Services,
  type VbsError,
  type Volume,
} from '@vbs/core';
import type { StoreOverrides } from '@vbs/core/internal/compose.js';
import { openDatabase } from '@vbs/core/internal/metadata/database/open-database.js';
import { openStore } from '@vbs/core/internal/open-block-store.js';
import file from '@vbs/plugin-file';
import nbd from '@vbs/plugin-nbd';
import { createSandbox, type GuestDisk, type SandboxVm, type VmConfig } from '@vbs/plugin-sandbox';
import type { ExecutionContext } from 'ava';

export const KiB = 1024;
export const MiB = 1024 * KiB;
/** The VMM node of the fixture. */
export const vmmHost = 'sandbox';

export const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** Short times, so that nothing that a test waits for takes long. */
export const shortTimes = {
  scanMs: 100,
  restoreMs: 200,
  pollMs: 10,
  busyLimitMs: 5_000,
  drainMs: 300,
  leaveMs: 700,
  pauseMs: () => 50,
} as const satisfies StoreOverrides['times'];

export interface StoreOptions {
  /** Where the store lies; a temporary folder of its own unless told. */
  readonly directory?: string;
  readonly vms?: Readonly<Record<string, VmConfig>>;
  /** The other keys of the sandbox. */
  readonly hypervisor?: Readonly<Record<string, unknown>>;
  /** By instance id; a static resolver is configured when it is given. */
  readonly instances?: Readonly<Record<string, { readonly vmmHost: string; readonly vmId: string }>>;
  /** Replaces parts of the configuration. */
  readonly configuration?: Readonly<Record<string, unknown>>;
  /** What the plugins are before they are handed over: where a test plants a fault. */
  readonly plugin?: <P extends Plugin>(plugin: P) => P;
  readonly services?: Partial<Services>;
  readonly overrides?: StoreOverrides;
  /** A call hangs at the end, so that not everything can be closed. */
  readonly closesBadly?: boolean;
}

/** One store on files, NBD and a sandbox, with the way into its VMs. */
export interface TestStore {
  readonly store: BlockStore;
  readonly directory: string;
  vm(vmId: string): SandboxVm;
  disk(vmId: string, device: string): GuestDisk;
  /** A volume that is available. */
  volume(size?: string | number): Promise<Volume>;
  /** Attaches, writes, flushes and detaches: a volume that holds data. */
  writeTo(volumeId: string, offset: number, bytes: Buffer): Promise<void>;
  /** Attaches, reads and detaches. */
  readFrom(volumeId: string, offset: number, length: number): Promise<Buffer>;
}

/** A temporary folder that goes with the test. */
export async function newDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-store-test-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** What an embedder would write for the fixture's store. */
export function configurationOf(directory: string, plugins: readonly (string | Plugin)[], options: StoreOptions = {}): object {
  return {
    database: { client: 'sqlite3', filename: join(directory, 'vbs.sqlite') },
    plugins,
    volumeServers: {
      vs1: {
        backends: { files: { plugin: 'file', directory: join(directory, 'pool') } },
        exporters: { nbd: { plugin: 'nbd', port: 0 } },
      },
    },
    vmmNodes: {
      [vmmHost]: {
        hostnames: ['sandbox.example.org'],
        hypervisor: { plugin: 'sandbox', vms: options.vms ?? { vm1: {}, vm2: {} }, ...options.hypervisor },
      },
    },
    ...(options.instances === undefined ? {} : { resolvers: { cloud: { plugin: 'sandbox', instances: options.instances } } }),
    ...options.configuration,
  };
}

/** Opens a store that closes with the test. */
export async function newStore(t: ExecutionContext, options: StoreOptions = {}): Promise<TestStore> {
  const directory = options.directory ?? (await newDirectory(t));
  const sandbox = createSandbox();
  const planted = options.plugin ?? (<P extends Plugin>(plugin: P): P => plugin);
  const plugins = [planted(file), planted(nbd), planted(sandbox.plugin)];
  const store = await openStore(
    configurationOf(directory, plugins, options),
    { logger: silent, ...options.services },
    { ...options.overrides, times: { ...shortTimes, ...options.overrides?.times } },
  );
  t.teardown(() => (options.closesBadly === true ? store.close().catch(() => undefined) : store.close()));
  const vm = (vmId: string) => sandbox.vm(vmmHost, vmId);
  const disk = (vmId: string, device: string) => vm(vmId).disk(device);

  async function whileAttached<T>(volumeId: string, act: (attached: GuestDisk) => Promise<T>): Promise<T> {
    const device = 'xvdz';
    const { id: attachmentId } = await store.attachVolume({ volumeId, vmmHost, vmId: 'vm1', device }, { wait: true });
    try {
      return await act(disk('vm1', device));
    } finally {
      await store.detachVolume({ volumeId, attachmentId }, { wait: true });
    }
  }
  return {
    store,
    directory,
    vm,
    disk,
    volume: (size = 4 * MiB) => store.createVolume({ size }, { wait: true }),
    writeTo: (volumeId, offset, bytes) =>
      whileAttached(volumeId, async (attached) => {
        await attached.write(offset, bytes);
        await attached.flush();
      }),
    readFrom: (volumeId, offset, length) => whileAttached(volumeId, (attached) => attached.read(offset, length)),
  };
}

export const someBytes = (length: number): Buffer => randomBytes(length);

/** The plugins by name, for configuration files. */
export const pluginNames = ['@vbs/plugin-file', '@vbs/plugin-nbd', '@vbs/plugin-sandbox'];

const dumped = [
  'store',
  'ids',
  'volumes',
  'snapshots',
  'exports',
  'attachments',
  'numbers',
  'operations',
  'operation_steps',
  'leases',
  'events',
];

/** Every row of the metadata, but for the processes' leases, and every file of the pool with its size and time. */
export async function dump(directory: string): Promise<unknown> {
  const database = await openDatabase({ client: 'sqlite3', filename: join(directory, 'vbs.sqlite') }, { log: silent });
  try {
    const tables: Record<string, unknown> = {};
    for (const table of dumped) tables[table] = await database.knex(table).select();
    return { tables, files: await listFiles(join(directory, 'pool')) };
  } finally {
    await database.close();
  }
}

async function listFiles(folder: string): Promise<readonly string[]> {
  const names = (await readdir(folder, { recursive: true })).sort();
  const told = names.map(async (name) => {
    const { size, mtimeMs } = await lstat(join(folder, name));
    return `${name} ${size} ${mtimeMs}`;
  });
  return Promise.all(told);
}

/** Waits until something is so. @throws when it is not within 5 s. */
export async function until(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
  for (const end = performance.now() + 5_000; performance.now() < end; ) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`not within 5 s: ${what}`);
}

/** A promise with its ends outside it. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** Compares by a hash: comparing long Buffers value by value takes seconds. */
export function sameBytes(t: ExecutionContext, found: Buffer, expected: Buffer, message?: string): void {
  t.is(sha256(found), sha256(expected), message);
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** The error that a promise rejects with; anything else than a VbsError of this code fails the test. */
export async function refusal(t: ExecutionContext, promise: Promise<unknown>, code: ErrorCode): Promise<VbsError> {
  const error: unknown = await t.throwsAsync(promise, { code });
  if (!isVbsError(error)) throw new Error(`no VbsError: ${String(error)}`);
  return error;
}
