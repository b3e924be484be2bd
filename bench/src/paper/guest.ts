import { gunzipSync } from 'node:zlib';
import type { Domu, Guest, XenGuest } from '@vbs/lab';
import { type BonnieFigures, bonnieCommand, parseBonnie } from './bonnie.js';
import { type Disk, disks, slots } from './disks.js';
import { type FioFigures, type FioRun, fioCommand, parseFio } from './fio.js';

/** Where the DomU has Dom0's own root, read-only, for the tools in it, and within that the disk that is measured. */
const toolRoot = '/tools';
const mountPoint = '/mnt';
const toolSlot = 'xvdy';

const shortLimitMs = 60_000;
const runLimitMs = 240_000;

/** The DomU in which everything is measured: it has four disks, and Dom0's tools. */
export class PaperGuest {
  readonly #domu: Domu;
  readonly #hosts: readonly Guest[];

  constructor(domu: Domu, hosts: readonly Guest[]) {
    this.#domu = domu;
    this.#hosts = hosts;
  }

  /** Brings the tools, and makes a file system on each disk. */
  async prepare(dom0: XenGuest): Promise<void> {
    await dom0.run('xl', 'block-attach', this.#domu.name, 'phy:/dev/vda', toolSlot, 'r');
    // fio's libraries reserve more than the DomU has, and touch little of it.
    await this.#run(`
      echo 1 >/proc/sys/vm/overcommit_memory
      for name in ${[toolSlot, ...Object.values(slots)].join(' ')}; do
        for i in $(seq 100); do [ -b /dev/$name ] && break; sleep 0.1; done
        [ -b /dev/$name ]
      done
      mkdir -p ${toolRoot}; mount -t ext4 -o ro,noload /dev/${toolSlot} ${toolRoot}
      for folder in dev proc sys; do mount --bind /$folder ${toolRoot}/$folder; done`);
    // What ext4 leaves for later, it would write while another disk is measured.
    for (const disk of disks)
      await this.#run(`chroot ${toolRoot} /usr/sbin/mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 /dev/${slots[disk]}`);
  }

  async memoryMiB(): Promise<number> {
    const { stdout } = await this.#domu.run('sed -n "s/^MemTotal: *\\([0-9]*\\) kB/\\1/p" /proc/meminfo');
    return Math.round(Number(stdout) / 1_024);
  }

  async bonnie(disk: Disk, sizeMiB: number): Promise<BonnieFigures> {
    await this.#settle();
    return parseBonnie(await this.#onDisk(disk, `chroot ${toolRoot} ${bonnieCommand(mountPoint, sizeMiB).join(' ')}`));
  }

  async fio(disk: Disk, { sizeMiB, seconds }: Omit<FioRun, 'file'>): Promise<FioFigures> {
    await this.#settle();
    const command = fioCommand({ file: `${mountPoint}/fio`, sizeMiB, seconds }).join(' ');
    // The console is slow, and a report long.
    const report = await this.#onDisk(
      disk,
      `chroot ${toolRoot} ${command} >/tmp/fio.json; rm ${toolRoot}${mountPoint}/fio; gzip -c /tmp/fio.json | base64`,
    );
    return parseFio(gunzipSync(Buffer.from(report, 'base64')).toString('utf8'));
  }

  /** What the run before has left in memory is not this one's to write, nor to read. */
  async #settle(): Promise<void> {
    const drop = 'sync; echo 3 >/proc/sys/vm/drop_caches';
    await this.#run(drop);
    for (const host of this.#hosts) await host.script(drop);
  }

  async #onDisk(disk: Disk, act: string): Promise<string> {
    const at = `${toolRoot}${mountPoint}`;
    return await this.#run(`mount -t ext4 -o noatime /dev/${slots[disk]} ${at}; trap 'umount ${at}' EXIT; ${act}`, runLimitMs);
  }

  async #run(script: string, timeLimitMs = shortLimitMs): Promise<string> {
    return (await this.#domu.run(`set -e; cd /; ${script}`, { timeLimitMs })).stdout;
  }
}
