import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VbsError } from '@vbs/core';
import type { GuestKind } from '../kinds.js';
import { labFolder } from '../paths.js';
import type { Segment } from '../qemu/arguments.js';
import { endGuestsIn } from '../qemu/leftovers.js';
import { isRunning, type ProcessMark } from '../qemu/process.js';

export interface GuestRecord {
  readonly name: string;
  readonly kind: GuestKind;
  /** The folder of its image. */
  readonly image: string;
  /** The last part of its addresses: 10.9.0.<number>. */
  readonly number: number;
  readonly sshPort: number;
}

/** What is known of a lab by other processes than the one that started it. */
export interface LabRecord {
  readonly name: string;
  /** The process with which it ends; null: it stands until it is taken down. */
  readonly owner: ProcessMark | null;
  readonly segment: Segment;
  readonly guests: readonly GuestRecord[];
  /** False while its guests are put into the clean state: a process that was killed meanwhile left them half way. */
  readonly ready: boolean;
}

const recordFile = 'lab.json';

export function runFolder(): string {
  return join(labFolder(), 'run');
}

export function folderOf(name: string): string {
  if (!/^[a-z0-9][a-z0-9-]{0,40}$/.test(name))
    throw new VbsError('INVALID_ARGUMENT', `A lab's name is lower-case letters, digits and hyphens, at most 41; not "${name}".`);
  return join(runFolder(), name);
}

/** The record of a lab; undefined when there is none of this name. */
export async function readRecord(name: string): Promise<LabRecord | undefined> {
  const text = await readFile(join(folderOf(name), recordFile), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  });
  return text === undefined ? undefined : (JSON.parse(text) as LabRecord);
}

export async function writeRecord(record: LabRecord): Promise<void> {
  const path = join(folderOf(record.name), recordFile);
  await writeFile(`${path}.new`, `${JSON.stringify(record, null, 1)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** The labs that were started and not taken down. */
export async function listRecords(): Promise<readonly LabRecord[]> {
  const entries = await readdir(runFolder(), { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return [];
  });
  const records = await Promise.all(entries.filter((entry) => entry.isDirectory()).map(({ name }) => readRecord(name)));
  return records.filter((record) => record !== undefined);
}

/** Ends every guest of a lab and removes what it left. The absent is success. */
export async function removeLab(name: string): Promise<void> {
  const folder = folderOf(name);
  await endGuestsIn(folder);
  await rm(folder, { recursive: true, force: true });
}

/** Removes the labs whose process is gone: it was killed, or it crashed. */
export async function removeLeftovers(): Promise<readonly string[]> {
  const left = (await listRecords()).filter(({ owner }) => owner !== null && !isRunning(owner)).map(({ name }) => name);
  for (const name of left) await removeLab(name);
  return left;
}
