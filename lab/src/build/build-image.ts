import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GuestKind } from '../kinds.js';
import { imageFiles } from '../paths.js';
import { configureRoot, copyKept } from './configure-root.js';
import { firstInitrd, makeInitrd, makeRootImage, makeStateImage } from './disk-images.js';
import { guestList } from './guest-lists.js';
import { makeKeys } from './keys.js';
import { pruneModules } from './modules.js';
import { fetchPackages } from './packages.js';
import type { Recipe } from './recipe.js';
import { saveState } from './save-state.js';
import { unpackRoot } from './unpack.js';
import { extractVmlinux } from './vmlinux.js';
import { makeXenHost } from './xen-host.js';

export type Say = (line: string) => void;

/** Builds an image with its saved state into a folder, which it then fills for good. */
export async function buildImage(folder: string, kind: GuestKind, recipe: Recipe, aptFolder: string, say: Say): Promise<void> {
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
    fetchPackages(await guestList(kind, 'packages.txt'), recipe.packages, aptFolder),
  );
  const release = await step('unpacked', async () => unpackRoot(archives, recipe.packages, await guestList(kind, 'left-out.txt'), root));
  await step('image written', async () => {
    await pruneModules(root, release, await guestList(kind, 'modules.txt'));
    const bzImage = join(root, 'boot', `vmlinuz-${release}`);
    await writeFile(join(folder, imageFiles.kernel), await extractVmlinux(await readFile(bzImage)));
    await configureRoot(root, await makeKeys(folder, work));
    if (kind === 'xen') await makeXenHost({ root, release, work, folder });
    await rm(join(root, 'boot'), { recursive: true });
    await makeRootImage(root, join(folder, imageFiles.root));
    await copyKept(root, join(work, 'state'));
    await makeStateImage(join(work, 'state'), join(folder, imageFiles.state));
    await makeInitrd({ root, release, ...firstInitrd, work: join(work, 'initrd'), target: join(folder, imageFiles.initrd) });
  });
  await step('booted and saved', () => saveState(folder, kind, work));
  await writeFile(join(folder, imageFiles.recipe), `${JSON.stringify(recipe, null, 1)}\n`);
  await rm(work, { recursive: true });
}
