import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VbsError } from '@vbs/core';
import { type GuestKind, guestKinds } from '../kinds.js';
import { runTool, textOf } from '../tools.js';

/** A Debian package at its version, as apt calls its file. */
export interface Package {
  readonly name: string;
  readonly file: string;
  /** Of the archive, where apt tells it: for a package whose list has SHA256 alone it tells none. */
  readonly digest: string;
}

const listsFolder = '/var/lib/apt/lists';

/** apt looks at an empty status, so that the closure is whole whatever is installed here; nothing is installed. */
function aptOptions(folder: string): readonly string[] {
  const settings = {
    'Dir::State::status': join(folder, 'empty-status'),
    'Dir::Cache': folder,
    'APT::Install-Recommends': 'false',
    'APT::Sandbox::User': '',
    'Acquire::Retries': '3',
    'Debug::NoLocking': '1',
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/** Reads what `apt-get --print-uris` prints: `'<address>' <file> <size> [<digest>]`. */
export function parseUris(text: string): readonly Package[] {
  const packages = text.split('\n').flatMap((line) => {
    const [, file, digest = ''] = /^'[^']+' (\S+\.deb) \d+(?: (\S+))?$/.exec(line.trim()) ?? [];
    return file === undefined ? [] : [{ name: file.replace(/_.*/, ''), file, digest }];
  });
  return packages.sort((a, b) => (a.file < b.file ? -1 : 1));
}

const memoOf = (kind: GuestKind): string => `resolved-${kind}.json`;

/** Changes when apt's package lists do. */
async function listsStamp(wanted: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(wanted));
  const names = (await readdir(listsFolder)).filter((name) => name.includes('_Packages') || name.endsWith('Release')).sort();
  for (const name of names) {
    const { mtimeMs, size } = await stat(join(listsFolder, name));
    hash.update(JSON.stringify([name, mtimeMs, size]));
  }
  return hash.digest('hex');
}

interface Memo {
  readonly stamp: string;
  readonly packages: readonly Package[];
}

async function readMemo(path: string): Promise<Memo | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  });
  return text === undefined ? undefined : (JSON.parse(text) as Memo);
}

/**
 * The packages of a kind of guest with all that they depend on, at the versions that apt's lists name now. Without lists it fetches them, as root.
 * @throws FAILED_PRECONDITION: there are no lists and this user may not fetch them.
 */
export async function resolvePackages(kind: GuestKind, wanted: readonly string[], folder: string): Promise<readonly Package[]> {
  await mkdir(join(folder, 'archives/partial'), { recursive: true });
  await writeFile(join(folder, 'empty-status'), '');
  if (!(await readdir(listsFolder)).some((name) => name.includes('_Packages'))) {
    if (process.getuid?.() !== 0)
      throw new VbsError('FAILED_PRECONDITION', 'apt knows no packages yet: run `apt-get update` as root, then start the lab again.');
    await runTool('apt-get', ['-qq', '-o', 'Acquire::Retries=3', 'update'], { limitMs: 300_000 });
  }
  const memo = join(folder, memoOf(kind));
  const stamp = await listsStamp(wanted);
  const known = await readMemo(memo);
  if (known?.stamp === stamp) return known.packages;
  // apt prints only what it would fetch: it must not see the archives that are there.
  const nowhere = ['-o', `Dir::Cache::archives=${join(folder, 'no-archives')}`];
  await mkdir(join(folder, 'no-archives/partial'), { recursive: true });
  const words = [...aptOptions(folder), ...nowhere, '-y', '-qq', '--print-uris', 'install', ...wanted];
  const printed = await textOf('apt-get', words, { limitMs: 120_000 });
  const packages = parseUris(printed);
  if (packages.length === 0) throw new VbsError('INTERNAL', `apt-get named no package for ${wanted.join(' ')}.`);
  await writeFile(memo, JSON.stringify({ stamp, packages }));
  return packages;
}

/** Fetches the archives that are not there, which apt checks, and removes those that no kind of guest has now. Answers their folder. */
export async function fetchPackages(wanted: readonly string[], packages: readonly Package[], folder: string): Promise<string> {
  const archives = join(folder, 'archives');
  await runTool('apt-get', [...aptOptions(folder), '-y', '-qq', '--download-only', 'install', ...wanted], { limitMs: 900_000 });
  const files = new Set(packages.map(({ file }) => file));
  const present = (await readdir(archives)).filter((name) => name.endsWith('.deb'));
  const missing = [...files].filter((file) => !present.includes(file));
  if (missing.length > 0) throw new VbsError('UNAVAILABLE', `apt-get did not fetch ${missing.slice(0, 5).join(', ')}: start again.`);
  for (const kind of guestKinds) for (const { file } of (await readMemo(join(folder, memoOf(kind))))?.packages ?? []) files.add(file);
  for (const name of present.filter((file) => !files.has(file))) await rm(join(archives, name));
  return archives;
}
