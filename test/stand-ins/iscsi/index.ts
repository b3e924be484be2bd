import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tools } from '../frame/tool.js';
import { iscsiadm } from './iscsiadm.js';
import { StandInKernel } from './kernel.js';
import { NodeDatabase } from './node-database.js';
import { blockdev, cat, find, readlink, rm, tee } from './small-tools.js';
import { StandInTarget } from './targets.js';

export { type Admission, type Comer, StandInTarget, type TargetLun } from './targets.js';

const usualInitiator = 'iqn.1993-08.org.debian:01:stand-in';
const socketHeader = 'Num       RefCount Protocol Flags    Type St Inode Path\n';
const iscsidSocket = '0000000000000000: 00000002 00000000 00010000 0001 01 16521 @ISCSIADM_ABSTRACT_NAMESPACE\n';

/** A node with open-iscsi and udev, whose files lie under `root`, and the targets that it can reach. */
export class StandInIscsi {
  readonly kernel: StandInKernel;
  readonly database: NodeDatabase;
  readonly targets = new Map<string, StandInTarget>();
  readonly tools: Tools;
  readonly #root: string;
  readonly #openers = new Map<string, number[]>();
  #iscsid = true;

  constructor(root: string, initiatorName = usualInitiator) {
    this.#root = root;
    this.kernel = new StandInKernel(root);
    this.database = new NodeDatabase(root);
    writeFileSync(join(root, 'etc/iscsi/initiatorname.iscsi'), `## A comment\nInitiatorName=${initiatorName}\n`);
    this.iscsid = true;
    const world = (): Parameters<typeof iscsiadm>[0] => ({ ...this, iscsid: this.#iscsid, initiatorName });
    this.tools = {
      iscsiadm: (run) => iscsiadm(world(), run),
      tee: (run) => tee(this.kernel, run),
      blockdev: (run) => blockdev(this.kernel, run),
      find: (run) => find(this.#openers, run),
      cat,
      rm,
      readlink,
    };
  }

  set iscsid(runs: boolean) {
    this.#iscsid = runs;
    writeFileSync(join(this.#root, 'proc/net/unix'), runs ? socketHeader + iscsidSocket : socketHeader);
  }

  addTarget(iqn: string, portals: readonly string[]): StandInTarget {
    const target = new StandInTarget(iqn, portals);
    this.targets.set(iqn, target);
    return target;
  }

  /** The target's machine loses its power, or comes back. */
  setDead(target: StandInTarget, dead: boolean): void {
    target.dead = dead;
    this.kernel.notice(target);
  }

  /** A process of the node opens a disk, `sda`; answers how it closes it. */
  openBy(pid: number, comm: string, disk: string): () => void {
    mkdirSync(join(this.#root, 'proc', String(pid)), { recursive: true });
    writeFileSync(join(this.#root, 'proc', String(pid), 'comm'), `${comm}\n`);
    const device = `/dev/${disk}`;
    this.#openers.set(device, [...(this.#openers.get(device) ?? []), pid]);
    return () =>
      this.#openers.set(
        device,
        (this.#openers.get(device) ?? []).filter((one) => one !== pid),
      );
  }

  /** Mounts a disk; answers how it is unmounted. */
  mount(disk: string, point: string): () => void {
    const file = join(this.#root, 'proc/self/mountinfo');
    const number = readFileSync(join(this.#root, 'sys/block', disk, 'dev'), 'utf8').trim();
    const line = `36 22 ${number} / ${point} rw,relatime - ext4 /dev/${disk} rw\n`;
    writeFileSync(file, readFileSync(file, 'utf8') + line);
    return () => writeFileSync(file, readFileSync(file, 'utf8').replace(line, ''));
  }
}
