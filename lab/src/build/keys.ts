import { chmod, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { imageFiles } from '../paths.js';
import { runTool } from '../tools.js';
import type { RootKeys } from './configure-root.js';

/** The name under which every guest's host key is known, whatever port it is reached by. */
export const hostKeyAlias = 'vbs-lab';

/** Draws the keys of an image: the guests' host key, which stays in the image alone, and the user's, beside known_hosts. */
export async function makeKeys(folder: string, work: string): Promise<RootKeys> {
  const host = join(work, 'host_key');
  const user = join(folder, imageFiles.userKey);
  for (const [path, comment] of [
    [host, 'guest'],
    [user, 'vbs-lab'],
  ] as const)
    await runTool('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', path]);
  await chmod(user, 0o600);
  const [type, key] = (await readFile(`${host}.pub`, 'utf8')).split(' ');
  await writeFile(join(folder, imageFiles.knownHosts), `${hostKeyAlias} ${type} ${key}\n`);
  const userPublic = join(work, 'user.pub');
  await rename(`${user}.pub`, userPublic);
  await rm(`${host}.pub`);
  return { host, userPublic };
}
