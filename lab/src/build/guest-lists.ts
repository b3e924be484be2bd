import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuestKind } from '../kinds.js';
import { guestFolder } from '../paths.js';
import { parseList } from './lists.js';

async function listIn(...path: readonly string[]): Promise<readonly string[]> {
  return parseList(await readFile(join(guestFolder, ...path), 'utf8'));
}

/** A list of a kind of guest: what holds for every guest, and what for this kind besides. */
export async function guestList(kind: GuestKind, name: 'packages.txt' | 'modules.txt' | 'left-out.txt'): Promise<readonly string[]> {
  return [...(await listIn(name)), ...(await listIn(kind, name))];
}
