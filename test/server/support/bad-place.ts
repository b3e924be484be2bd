import { join } from 'node:path';
import type { BlockStoreConfig } from '@vbs/core';
import file from '@vbs/plugin-file';
import nbd from '@vbs/plugin-nbd';
import { createSandbox } from '@vbs/plugin-sandbox';
import type { Limits } from '@vbs/server';
import type { ExecutionContext } from 'ava';
import { configurationOf, dump, MiB, newDirectory, vmmHost } from '../../support/store.js';
import { newService, type TestService } from '../fixture.js';

/** A served store with something of every kind in it, and the ids by what they stand for. */
export interface BadPlace extends TestService {
  readonly ids: Readonly<Record<string, string>>;
  /** Texts with the ids of this place in them. */
  filled(text: string): string;
  /** Everything that is in the store. */
  dump(): Promise<Dump>;
}

/** Every row and every file. */
export interface Dump {
  readonly tables: Readonly<Record<string, unknown>>;
  readonly files: readonly string[];
}

/** What a request could change: the epoch of a pool is written every 10 s by the store itself. */
async function settledDump(directory: string): Promise<Dump> {
  const { tables, files } = (await dump(directory)) as Dump;
  return { tables, files: files.filter((line) => !line.startsWith('vbs-epoch')) };
}

/** The key that the first volume was made with. */
export const usedKey = 'used-key';

export async function newBadPlace(t: ExecutionContext, limits: Partial<Limits> = {}): Promise<BadPlace> {
  const directory = await newDirectory(t);
  const instances = { 'i-1': { vmmHost, vmId: 'vm1' } };
  const configuration = configurationOf(directory, [file, nbd, createSandbox().plugin], { instances }) as BlockStoreConfig;
  const service = await newService(t, { configuration, limits, socket: join(directory, 'vbs.sock') }, directory);
  const { store } = service;
  let operation = '';
  const wait = { wait: true } as const;
  const told = { ...wait, onOperation: (id: string) => (operation = id) };
  const { id: volume } = await store.createVolume({ size: 4 * MiB }, { ...told, clientToken: usedKey });
  const { id: detached } = await store.attachVolume({ volumeId: volume, vmmHost, vmId: 'vm2', device: 'xvdb' }, wait);
  await store.detachVolume({ volumeId: volume }, wait);
  const { id: snapshot } = await store.createSnapshot({ volumeId: volume }, wait);
  const { id: attached } = await store.createVolume({ size: 4 * MiB }, wait);
  const { id: attachment } = await store.attachVolume({ volumeId: attached, vmmHost, vmId: 'vm1', device: 'xvdb' }, wait);
  const ids: Readonly<Record<string, string>> = { volume, snapshot, attached, attachment, detached, operation };
  return {
    ...service,
    ids,
    filled: (text) => text.replace(/\{([a-z]+)\}/g, (whole, name: string) => ids[name] ?? whole),
    dump: () => settledDump(directory),
  };
}
