import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { guestFolder, imageFiles } from '../paths.js';
import { configureRoot, copyKept } from './configure-root.js';
import { makeInitrd, makeRootImage, makeStateImage } from './disk-images.js';
import { makeKeys } from './keys.js';
import { parseList } from './lists.js';
import { pruneModules } from './modules.js';
import { fetchPackages } from './packages.js';
import type { Recipe } from './recipe.js';
import { saveState } from './save-state.js';
import { takeKernel, unpackRoot } from './unpack.js';
import { extractVmlinux } from './vmlinux.js';

export type Say = (line: string) => void;

async function guestList(name: string): Promise<readonly string[]> {
  return parseList(await readFile(join(guestFolder, name), 'utf8'));
}

/** The packages that a guest is to have, without what they depend on. */
export function wantedPackages(): Promise<readonly string[]> {
  return guestList('packages.txt');
}

/** Builds an image with its saved state into a folder, which it then fills for good. */
export async function buildImage(folder: string, recipe: Recipe, aptFolder: string, say: Say): Promise<void> {
  const work = join(folder, 'work');
  const root = join(work, 'root');
  await mkdir(root, { recursive: true, mode: 0o755 });
  const step = async <T>(title: string, act: () => Promise<T>): Promise<T> => {
    const started = Date.now();
    const result = await act();
    say(`${title}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
    return result;
  };
  const archives = await step(`${recipe.packages.length} packages fetched`, async () =>
    fetchPackages(await wantedPackages(), recipe.packages, aptFolder),
  );
  const release = await step('unpacked', async () => unpackRoot(archives, recipe.packages, await guestList('left-out.txt'), root));
  await step('image written', async () => {
    await pruneModules(root, release, await guestList('modules.txt'));
    const bzImage = join(work, 'vmlinuz');
    await takeKernel(root, release, bzImage);
    await writeFile(join(folder, imageFiles.kernel), await extractVmlinux(await readFile(bzImage)));
    await configureRoot(root, await makeKeys(folder, work));
    await makeRootImage(root, join(folder, imageFiles.root));
    await copyKept(root, join(work, 'state'));
    await makeStateImage(join(work, 'state'), join(folder, imageFiles.state));
    await makeInitrd(root, release, join(work, 'initrd'), join(folder, imageFiles.initrd));
  });
  await step('booted and saved', () => saveState(folder, work));
  await writeFile(join(folder, imageFiles.recipe), `${JSON.stringify(recipe, null, 1)}\n`);
  await rm(work, { recursive: true });
}
