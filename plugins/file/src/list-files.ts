import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '@vbs/core';

/** A regular file as its folder has it. */
export interface ListedFile<T> {
  /** What its name says. */
  readonly meaning: T;
  readonly sizeBytes: number;
}

const statsAtOnce = 32;

export interface ListOptions<T> {
  /** What a name says; null for a name that this plugin did not give. */
  readonly read: (name: string) => T | null;
  /** Only these names are looked at; all of them unless told. */
  readonly wanted?: (name: string) => boolean;
  readonly log: Logger;
}

/** The regular files of a folder whose names have a meaning, sorted by name; anything else in it is logged and left alone. */
export async function listFiles<T>(folder: string, { read, wanted = () => true, log }: ListOptions<T>): Promise<readonly ListedFile<T>[]> {
  const names = (await readdir(folder)).filter((name) => wanted(name)).sort();
  const files: ListedFile<T>[] = [];
  for (let start = 0; start < names.length; start += statsAtOnce) {
    const looked = await Promise.all(names.slice(start, start + statsAtOnce).map((name) => look(path.join(folder, name), read(name), log)));
    files.push(...looked.filter((file) => file !== null));
  }
  return files;
}

async function look<T>(file: string, meaning: T | null, log: Logger): Promise<ListedFile<T> | null> {
  try {
    const found = await lstat(file);
    if (meaning !== null && found.isFile()) return { meaning, sizeBytes: found.size };
  } catch (error) {
    // Deleted since the folder was read.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  log.warn({ path: file }, 'something that this plugin did not make lies in its folder; it is left alone');
  return null;
}
