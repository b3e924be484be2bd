import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type Call, type ErrorCode, type Instance, type LocalMachine, type Logger, type StoreIdentity, VbsError } from '@vbs/core';
import { createLocalMachine } from '@vbs/core/internal/machine/local-machine.js';
import filePlugin, { type FileConfig, FileVolumeBackend } from '@vbs/plugin-file';
import type { ExecutionContext } from 'ava';

export const ourStore = 'a'.repeat(32);
export const otherStore = 'b'.repeat(32);
export const kibibyte = 1024;
export const mebibyte = 1024 * kibibyte;

let drawn = 0;
/** An id that no other of this process is like. */
export const newId = (kind: 'vol' | 'snap') => `${kind}-${(++drawn).toString(16).padStart(17, '0')}`;

export interface LogEntry {
  readonly level: string;
  readonly message: string;
}

export function recordingLog(entries: LogEntry[] = []): Logger {
  const write = (level: string) => (_fields: object, message: string) => void entries.push({ level, message });
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

export function newCall(change: Partial<Call> = {}): Call {
  return { signal: new AbortController().signal, operationId: 'op-1', epoch: 1, log: recordingLog(), progress: () => {}, ...change };
}

/** A call that is aborted at its first progress, and the offsets that were reported to it. */
export function callAbortedAtProgress(): { readonly call: Call; readonly reported: number[] } {
  const controller = new AbortController();
  const reported: number[] = [];
  const progress = (doneBytes: number) => {
    reported.push(doneBytes);
    controller.abort(new Error('the operator pressed Ctrl-C'));
  };
  return { call: newCall({ signal: controller.signal, progress }), reported };
}

type Guarded = LocalMachine['guarded'];

/** Stands in for the machine where a test needs a guard of its own; the plugin uses nothing else of a machine. */
function standInMachine(guarded: Guarded): LocalMachine {
  return new Proxy({ name: 'local', guarded } as LocalMachine, {
    get(target, key) {
      if (key in target) return Reflect.get(target, key);
      throw new TypeError(`the stand-in has no ${String(key)}`);
    },
  });
}

/** Every process that opens the pool shares its guards, as processes of one store do. */
const localMachine = (directory: string): LocalMachine =>
  createLocalMachine({ name: 'local', stateDirectory: `${directory}.state`, log: recordingLog() });

export interface OpenOptions {
  readonly store?: Partial<StoreIdentity>;
  readonly name?: string;
  readonly guarded?: Guarded;
  readonly entries?: LogEntry[];
}

export function openBackend(
  directory: string,
  { store, name = 'vs1/files', guarded, entries }: OpenOptions = {},
): Promise<FileVolumeBackend> {
  const instance = {
    name,
    config: { directory },
    baseDirectory: '/',
    stateDirectory: '/',
    machine: guarded ? standInMachine(guarded) : localMachine(directory),
    commands: {
      run: () => Promise.reject(new TypeError('the plugin has no commands')),
      fill: () => {
        throw new TypeError('the plugin has no commands');
      },
    },
    store: { id: ourStore, knowsPool: false, ...store },
    log: recordingLog(entries),
  } satisfies Instance<FileConfig, 'local'>;
  return filePlugin.provides.volumeBackend.open(instance, newCall()) as Promise<FileVolumeBackend>;
}

/** A directory in a new one, so that what lies beside it goes with it. */
export async function newDirectory(t: ExecutionContext): Promise<string> {
  const parent = await mkdtemp(path.join(os.tmpdir(), 'vbs-file-'));
  t.teardown(() => rm(parent, { recursive: true, force: true }));
  const directory = path.join(parent, 'directory');
  await mkdir(directory);
  return directory;
}

/** An open backend on a new pool. */
export async function newPool(t: ExecutionContext, options: OpenOptions = {}) {
  const directory = path.join(await newDirectory(t), 'pool');
  return { directory, backend: await openBackend(directory, options) };
}

export interface NewVolume {
  readonly sizeBytes?: number;
  /** Random bytes are written here, and nowhere else. */
  readonly extents?: readonly { readonly offset: number; readonly length: number }[];
}

/** A volume with random bytes in it. */
export async function newVolume(backend: FileVolumeBackend, { sizeBytes = mebibyte, extents }: NewVolume = {}) {
  const { id, locator } = await backend.createVolume(newCall(), { id: newId('vol'), sizeBytes });
  await scribble(locator.path, extents ?? [{ offset: 0, length: sizeBytes }]);
  return { id, path: locator.path, sizeBytes };
}

/** A volume that is to be filled: where it lies until then, and from then on. */
export async function newTarget(backend: FileVolumeBackend, sizeBytes = mebibyte) {
  const { id, locator } = await backend.createVolume(newCall(), { id: newId('vol'), sizeBytes, toBeFilled: true });
  return { id, fillingPath: locator.path, path: locator.path.replace('.filling.img', '.img'), sizeBytes };
}

export async function scribble(file: string, extents: NonNullable<NewVolume['extents']>): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    for (const { offset, length } of extents) await handle.write(randomBytes(length), 0, length, offset);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function hashOf(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}

export const snapshotPath = (directory: string, id: string, volumeId: string) => path.join(directory, 'snapshots', `${id}.${volumeId}.img`);

export async function takeSnapshot(backend: FileVolumeBackend, volumeId: string): Promise<string> {
  const { id } = await backend.createSnapshot(newCall(), { id: newId('snap'), volumeId });
  return id;
}

export async function rejectsWith(t: ExecutionContext, act: Promise<unknown>, code: ErrorCode, text = /./): Promise<VbsError> {
  const error = await t.throwsAsync(act, { instanceOf: VbsError });
  t.is(error.code, code, error.message);
  t.regex(error.message, text);
  return error;
}
