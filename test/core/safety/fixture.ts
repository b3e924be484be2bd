import { join } from 'node:path';
import { type BlockStore, type Call, isVbsError, type VbsError } from '@vbs/core';
import type { StoreOverrides } from '@vbs/core/internal/compose.js';
import { type Database, openDatabase } from '@vbs/core/internal/metadata/database/open-database.js';
import type { ExecutionContext } from 'ava';
import { type InterceptedCall, intercepting } from '../../support/intercept.js';
import { newStore, type StoreOptions, silent, type TestStore, until, vmmHost } from '../../support/store.js';

export const wait = { wait: true } as const;

/** Where the tests put their disks. */
export const place = { vmmHost, vmId: 'vm1', device: 'xvdb' } as const;

export type Hook = (intercepted: InterceptedCall) => Promise<unknown>;

export interface HookedOptions extends Omit<StoreOptions, 'plugin' | 'overrides'> {
  readonly plugin?: StoreOptions['plugin'];
  readonly times?: StoreOverrides['times'];
  readonly layers?: StoreOverrides['layers'];
  readonly register?: NonNullable<StoreOverrides['register']>;
}

/** What is stuck rests until somebody asks for it. */
export const restful = { pauseMs: () => 600_000 } as const;

/** A store of files, NBD and a sandbox. Every call of a plugin goes through `hook`, and no layer repeats one. */
export function hookedStore(t: ExecutionContext, hook: Hook, options: HookedOptions = {}): Promise<TestStore> {
  const { plugin = (given) => given, times = {}, layers = {}, register, ...others } = options;
  return newStore(t, {
    ...others,
    plugin: (given) => intercepting(plugin(given), hook),
    overrides: {
      times,
      layers: { retry: { retries: 0, firstPauseMs: 1 }, graceMs: 100, ...layers },
      ...(register === undefined ? {} : { register }),
    },
  });
}

/** The fixture's volume server, with a time limit for methods of its backend or exporter. */
export function volumeServers(
  directory: string,
  limits: { readonly backend?: Readonly<Record<string, number>>; readonly exporters?: readonly string[] } = {},
) {
  const { backend, exporters = ['nbd'] } = limits;
  const files = { plugin: 'file', directory: join(directory, 'pool'), ...(backend === undefined ? {} : { timeLimits: backend }) };
  return {
    volumeServers: {
      vs1: { backends: { files }, exporters: Object.fromEntries(exporters.map((name) => [name, { plugin: 'nbd', port: 0 }])) },
    },
  };
}

/** Lets a call go on whose caller has given it up. */
export const deaf = ({ call, request, again }: InterceptedCall): Promise<unknown> =>
  again({ ...call, signal: new AbortController().signal } satisfies Call, request);

/** A clock that stands still until `pass`, and is then far beyond every deadline of before: however slow the machine, none is over early. */
export function standingClock(): { readonly clock: { now(): number }; pass(): void } {
  const stopped = Date.now();
  let passed = false;
  return {
    clock: { now: () => (passed ? Date.now() + 60_000 : stopped) },
    pass: () => {
      passed = true;
    },
  };
}

/** An operation that did not end well, as its caller heard of it. */
export interface Ended {
  readonly operationId: string;
  readonly error: VbsError;
}

/** Runs an operation that is to fail or to get stuck. */
export async function unhappy(
  begin: (options: { readonly wait: true; readonly onOperation: (id: string) => void }) => Promise<unknown>,
): Promise<Ended> {
  let operationId = '';
  const onOperation = (id: string): void => {
    operationId = id;
  };
  const error: unknown = await begin({ wait: true, onOperation }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isVbsError(error)) throw new Error(`it was to end with a VbsError, not with ${String(error)}`);
  return { operationId, error };
}

export const operationOf = async (store: BlockStore, id: string) => (await store.describeOperations({ ids: [id] })).items[0];
export const volumeOf = async (store: BlockStore, id: string) => (await store.describeVolumes({ ids: [id] })).items[0];
export const attachmentOf = async (store: BlockStore, volumeId: string) => (await store.describeAttachments({ volumeId })).items[0];

export function untilState(store: BlockStore, operationId: string, state: string): Promise<void> {
  return until(`${operationId} is ${state}`, async () => (await operationOf(store, operationId))?.state === state);
}

/** Works on a store's database as another process would. */
export async function inDatabase<T>(directory: string, work: (database: Database) => Promise<T>): Promise<T> {
  const database = await openDatabase({ client: 'sqlite3', filename: join(directory, 'vbs.sqlite') }, { log: silent });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}
