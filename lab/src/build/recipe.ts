import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GuestKind } from '../kinds.js';
import { guestFolder } from '../paths.js';
import { machineArguments } from '../qemu/arguments.js';
import { textOf } from '../tools.js';
import type { Package } from './packages.js';

/** All that an image and its saved state come from. */
export interface Recipe {
  readonly packages: readonly Package[];
  /** Digests by name: of the guest's scripts and lists, and of the builder itself. */
  readonly guest: Readonly<Record<string, string>>;
  readonly builder: Readonly<Record<string, string>>;
  readonly qemu: string;
  /** A saved state fits only the machine that it was saved from. */
  readonly machine: readonly string[];
}

/** The name of an image: the same for the same recipe, another when anything in it is other. */
export function recipeHash(recipe: Recipe): string {
  const { packages, guest, builder, qemu, machine } = recipe;
  const sorted = (record: Readonly<Record<string, string>>) => Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
  const archives = packages.map(({ file, digest }) => [file, digest]).sort();
  const text = JSON.stringify([archives, sorted(guest), sorted(builder), qemu, machine]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

async function digests(folder: string, wanted: (name: string) => boolean): Promise<Readonly<Record<string, string>>> {
  const entriesOf = await readdir(folder, { withFileTypes: true });
  const names = entriesOf.flatMap((entry) => (entry.isFile() && wanted(entry.name) ? [entry.name] : [])).sort();
  const entries = names.map(
    async (name) =>
      [
        name,
        createHash('sha256')
          .update(await readFile(join(folder, name)))
          .digest('hex'),
      ] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

const prefixed = (kind: GuestKind, files: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(files).map(([name, digest]) => [`${kind}/${name}`, digest]));

/** The recipe of now for a kind of guest: what is another kind's alone does not count. */
export async function readRecipe(kind: GuestKind, packages: readonly Package[]): Promise<Recipe> {
  return {
    packages,
    guest: { ...(await digests(guestFolder, () => true)), ...prefixed(kind, await digests(join(guestFolder, kind), () => true)) },
    builder: await digests(fileURLToPath(new URL('.', import.meta.url)), (name) => name.endsWith('.js')),
    qemu: (await textOf('qemu-system-x86_64', ['--version'])).split('\n')[0] ?? '',
    machine: machineArguments(kind),
  };
}
