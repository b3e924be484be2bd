import { lstat, readdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileError } from './file-errors.js';
import {
  asksForNames,
  Look,
  type LookedAt,
  type LookOptions,
  lookFault,
  nameExpression,
  requireFew,
  requirePatterns,
  withoutSlash,
} from './look.js';
import { readSmallFile } from './small-files.js';

const atOnce = 16;

type Found = Map<string, LookedAt>;

/** Folders that were listed in this look: patterns have their beginnings in common. */
type Lists = Map<string, Promise<readonly string[]>>;

/** Looks at files and folders of this machine; see {@link Machine.look}. */
export async function lookHere(patterns: readonly string[], { maxBytes }: LookOptions = {}): Promise<Look> {
  requirePatterns(patterns);
  const named = new Set(patterns);
  const found: Found = new Map();
  const lists: Lists = new Map();
  const matched = new Set<string>();
  for (const pattern of named) {
    const paths = await expand(withoutSlash(pattern), found, lists);
    if (!asksForNames(pattern)) for (const path of paths) matched.add(path);
    else if (isListed(pattern)) for (const path of paths) found.set(path, found.get(path) ?? null);
    else for (const path of paths) if (!found.has(path) && (await isThere(path))) found.set(path, null);
    requireFew(matched.size + found.size, 0);
  }
  const rest = [...matched];
  let bytes = 0;
  const work = async (): Promise<void> => {
    for (let path = rest.shift(); path !== undefined; path = rest.shift()) {
      const at = await lookAt(path, maxBytes);
      // Whether there is something that a pattern matches is told by nothing but its folder.
      if (at === 'hidden') {
        const unseen = named.has(path) ? path : await hiddenBy(path);
        found.set(unseen, fileError(hidden, unseen, 'look at'));
      } else if (at !== undefined) found.set(path, at);
      if (typeof at === 'string') bytes += Buffer.byteLength(at);
      requireFew(0, bytes);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return new Look(found);
}

const hidden = Object.assign(new Error('Permission denied'), { code: 'EACCES' });

/** The paths that a pattern may match; whether there is something at them is still to be seen. Folders that may not be listed go to `found`. */
async function expand(pattern: string, found: Found, lists: Lists): Promise<readonly string[]> {
  let paths = [''];
  for (const name of pattern.slice(1).split('/')) {
    paths = name.includes('*')
      ? (await Promise.all(paths.map((folder) => namesLike(folder, name, found, lists)))).flat()
      : paths.map((folder) => `${folder}/${name}`);
    requireFew(paths.length, 0);
  }
  return paths;
}

async function namesLike(folder: string, name: string, found: Found, lists: Lists): Promise<string[]> {
  const list = lists.get(folder) ?? listFolder(folder, found);
  lists.set(folder, list);
  const expression = nameExpression(name);
  return (await list).filter((one) => expression.test(one)).map((one) => `${folder}/${one}`);
}

async function listFolder(folder: string, found: Found): Promise<readonly string[]> {
  try {
    return await readdir(folder === '' ? '/' : folder);
  } catch (error) {
    if (lookFault(error, folder) !== undefined) found.set(folder, fileError(error, folder, 'list'));
    return [];
  }
}

async function lookAt(path: string, maxBytes: number | undefined): Promise<LookedAt | 'hidden' | undefined> {
  const kind = await kindOf(path);
  if (kind !== 'file') return kind;
  try {
    return await readSmallFile(path, maxBytes);
  } catch (error) {
    return lookFault(error, path);
  }
}

async function kindOf(path: string): Promise<'file' | 'hidden' | null | undefined> {
  try {
    const found = await lstat(path);
    return (found.isSymbolicLink() ? await stat(path) : found).isFile() ? 'file' : null;
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === 'EACCES') return 'hidden';
    if (code !== 'ELOOP' && lookFault(error, path) !== undefined) throw fileError(error, path, 'look for');
    // A link that leads nowhere is there.
    return syscall === 'stat' ? null : undefined;
  }
}

/** Whether the names that a pattern matches come from a list of their folder, so that they are there. */
function isListed(pattern: string): boolean {
  return withoutSlash(pattern).split('/').at(-1)?.includes('*') === true;
}

/** Also a link that leads nowhere. */
async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (lookFault(error, path) === undefined) return false;
    throw fileError(error, path, 'look for');
  }
}

/** The folder that may not be entered on the way to a path. */
async function hiddenBy(path: string): Promise<string> {
  let folder = dirname(path);
  while (folder !== '/' && (await kindOf(folder)) === 'hidden') folder = dirname(folder);
  return folder;
}
