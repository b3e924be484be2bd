import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { allCommands } from '../commands/index.js';
import { referenceOf } from './reference.js';

const name = 'docs/cli.md';

/** Writes the reference of the command line, or only looks whether it is up to date. Answers the files that differ. */
export async function writeReference({ check }: { readonly check: boolean }): Promise<readonly string[]> {
  const file = fileURLToPath(new URL(`../../../${name}`, import.meta.url));
  const text = referenceOf(allCommands);
  const old = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (old === text) return [];
  if (!check) await writeFile(file, text);
  return [name];
}
