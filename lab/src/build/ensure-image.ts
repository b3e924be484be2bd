import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureHostTools } from '../host-tools.js';
import type { GuestKind } from '../kinds.js';
import { withLock } from '../lock.js';
import { endGuestsIn } from '../qemu/leftovers.js';
import { buildImage, type Say } from './build-image.js';
import { guestList } from './guest-lists.js';
import { resolvePackages } from './packages.js';
import { readRecipe, recipeHash } from './recipe.js';

const buildLimitMs = 20 * 60_000;
/** Beside the image that is in use: going back to the one before costs no build. */
const keptImages = 3;
/** Images of a kind are kept whatever is built of another. */
const prefixes: Readonly<Record<GuestKind, string>> = { storage: '', xen: 'xen-' };
const buildingPrefix = 'building-';

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
}

/**
 * The folder of the image of a kind by the recipe of now, which is built when it is not there. Two that want it wait for each other; what a build
 * that ended half way left behind is removed by the next.
 */
export async function ensureImage(lab: string, kind: GuestKind, say: Say, imagesInUse: () => Promise<readonly string[]>): Promise<string> {
  await mkdir(lab, { recursive: true, mode: 0o700 });
  await ensureHostTools(say);
  const apt = join(lab, 'packages');
  const build = async (): Promise<string> => {
    await removeHalfBuilt(lab);
    const recipe = await readRecipe(kind, await resolvePackages(kind, await guestList(kind, 'packages.txt'), apt));
    const name = `${prefixes[kind]}${recipeHash(recipe)}`;
    const image = join(lab, name);
    const now = new Date();
    if (!(await exists(image))) {
      say(`building the image of ${kind} guests, ${name} (${lab})`);
      const half = join(lab, `${buildingPrefix}${name}`);
      await mkdir(half, { mode: 0o700 });
      await buildImage(half, kind, recipe, apt, say);
      await rename(half, image);
    }
    await utimes(image, now, now);
    await prune(lab, kind, [image, ...(await imagesInUse())]);
    return image;
  };
  return await withLock(join(lab, 'build.lock'), buildLimitMs, build, () => say('another start prepares the image: waiting for it'));
}

async function removeHalfBuilt(lab: string): Promise<void> {
  for (const name of (await readdir(lab)).filter((name) => name.startsWith(buildingPrefix))) {
    await endGuestsIn(join(lab, name));
    await rm(join(lab, name), { recursive: true });
  }
}

async function prune(lab: string, kind: GuestKind, used: readonly string[]): Promise<void> {
  const imageName = new RegExp(`^${prefixes[kind]}[0-9a-f]{16}$`);
  const names = (await readdir(lab)).filter((name) => imageName.test(name));
  const images = await Promise.all(names.map(async (name) => ({ path: join(lab, name), usedAt: (await stat(join(lab, name))).mtimeMs })));
  const oldestLast = images.sort((a, b) => b.usedAt - a.usedAt).slice(keptImages);
  for (const { path } of oldestLast.filter(({ path }) => !used.includes(path))) await rm(path, { recursive: true });
}
