import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
export const busybox = '/bin/busybox';
const limitMs = 120_000;

/** A kernel of Debian's for virtual machines, and the modules that a guest needs to reach its disks, each after those that it needs. */
export interface GuestKernel {
  readonly image: string;
  readonly modules: readonly string[];
}

const modules = [
  ...['virtio/virtio_ring', 'virtio/virtio', 'virtio/virtio_pci_legacy_dev', 'virtio/virtio_pci_modern_dev', 'virtio/virtio_pci'],
  ...['char/virtio_console', 'block/virtio_blk', 'scsi/scsi_common', 'scsi/scsi_mod', 'scsi/virtio_scsi', 'scsi/sd_mod'],
];

function cacheFolder(): string {
  const cache = process.env.XDG_CACHE_HOME;
  return join(cache === undefined || cache === '' ? join(homedir(), '.cache') : cache, 'vbs-test-guests');
}

/** The kernel of linux-image-cloud-amd64, downloaded once for all runs; nothing is installed. @throws it is not there, and cannot be had. */
export async function guestKernel(): Promise<GuestKernel> {
  const cache = cacheFolder();
  const known = (await readdir(cache).catch(() => []))
    .filter((name) => name.startsWith('linux-image-'))
    .sort()
    .at(-1);
  if (known !== undefined) return inFolder(join(cache, known));
  const { stdout } = await run('apt-cache', ['depends', 'linux-image-cloud-amd64'], { timeout: limitMs });
  const [, name] = /Depends: (linux-image-\S+)/.exec(stdout) ?? [];
  if (name === undefined) throw new Error('apt knows no kernel for virtual machines');
  const work = await mkdtemp(join(tmpdir(), 'vbs-kernel-'));
  try {
    await run('apt-get', ['-o', 'APT::Sandbox::User=', 'download', name], { cwd: work, timeout: limitMs });
    const archive = (await readdir(work)).find((file) => file.endsWith('.deb'));
    await run('dpkg', ['-x', join(work, archive ?? 'none'), join(work, 'root')], { timeout: limitMs });
    const release = name.replace('linux-image-', '');
    const folder = join(work, name);
    await mkdir(folder);
    await cp(join(work, `root/boot/vmlinuz-${release}`), join(folder, 'vmlinuz'));
    for (const module of modules) {
      await cp(join(work, `root/lib/modules/${release}/kernel/drivers/${module}.ko`), join(folder, `${basename(module)}.ko`));
    }
    await mkdir(cache, { recursive: true });
    // Another test file may have been as quick.
    await cp(folder, join(cache, `.${name}.${process.pid}`), { recursive: true });
    await rename(join(cache, `.${name}.${process.pid}`), join(cache, name)).catch(() =>
      rm(join(cache, `.${name}.${process.pid}`), { recursive: true }),
    );
    return inFolder(join(cache, name));
  } finally {
    await rm(work, { recursive: true });
  }
}

function inFolder(folder: string): GuestKernel {
  return { image: join(folder, 'vmlinuz'), modules: modules.map((module) => join(folder, `${basename(module)}.ko`)) };
}
