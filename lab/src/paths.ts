import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The scripts and lists of a guest, in the package. */
export const guestFolder = fileURLToPath(new URL('../guest/', import.meta.url));

/** Where the lab keeps everything: `${XDG_CACHE_HOME:-~/.cache}/vbs-lab`. */
export function labFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const cache = environment.XDG_CACHE_HOME;
  return join(cache === undefined || cache === '' ? join(homedir(), '.cache') : resolve(cache), 'vbs-lab');
}

/** The image in the folder of a running guest, where QEMU finds it whatever the image's path holds. */
export const imageLink = 'image';

/** What a built image consists of, in its folder. */
export const imageFiles = {
  root: 'root.ext4',
  state: 'state.ext4',
  kernel: 'vmlinux',
  /** Of a Xen host alone. */
  hypervisor: 'xen',
  initrd: 'initrd.cpio',
  saved: 'saved-state',
  userKey: 'id_ed25519',
  knownHosts: 'known_hosts',
  recipe: 'recipe.json',
} as const;
