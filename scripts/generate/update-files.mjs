import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * Brings files to the texts that they should have, and answers the paths that differed. With `check` nothing is written.
 *
 * @param {Map<string, string>} files the texts by path from the root
 * @param {{ root: string, check: boolean, ownFolder?: string }} options `ownFolder` holds nothing but these files: others in it go
 */
export async function updateFiles(files, { root, check, ownFolder }) {
  const leftOver = ownFolder === undefined ? [] : (await filesIn(root, ownFolder)).filter((path) => !files.has(path));
  const changed = [];
  for (const [path, text] of files) {
    const file = join(root, path);
    if ((await textOf(file)) === text) continue;
    changed.push(path);
    if (check) continue;
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  if (!check) for (const path of leftOver) await rm(join(root, path));
  return [...changed, ...leftOver];
}

async function filesIn(root, folder) {
  try {
    return (await readdir(join(root, folder))).map((name) => `${folder}/${name}`);
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

async function textOf(file) {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
