import { mkdir } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { isVbsError, type RunOptions, type RunResult, type SshMachine, VbsError } from '@vbs/core';
import { makeDisks } from '../build/save-state.js';
import type { GuestKind } from '../kinds.js';
import type { Segment } from '../qemu/arguments.js';
import { consoleSize, consoleTail } from '../qemu/console.js';
import { endGuestsIn, guestsIn } from '../qemu/leftovers.js';
import { isRunning, type ProcessMark } from '../qemu/process.js';
import { Qmp } from '../qemu/qmp.js';
import { guestError, waitForBoot } from '../qemu/wait-for-boot.js';
import { firstCommand, labCall } from '../ssh-access.js';
import type { GuestRecord } from './record.js';
import { startOnFreePort } from './start-on-free-port.js';

export interface GuestOptions {
  readonly record: GuestRecord;
  readonly folder: string;
  readonly segment: Segment;
  readonly endsWithUs: boolean;
  readonly machine: SshMachine;
  /** Every guest of the lab, for the names that it knows. */
  readonly peers: readonly GuestRecord[];
  /** Its port was taken by another program meanwhile, and it has a new one. */
  readonly onPort: (name: string, sshPort: number) => Promise<void>;
}

const scriptLimitMs = 120_000;

/** One guest of a lab: a Linux of its own with its disks and its place in the storage network. */
export class Guest {
  readonly name: string;
  readonly kind: GuestKind;
  /** Its address in the storage network, 10.9.0.0/24. */
  readonly address: string;
  /** The name by which its iSCSI initiator logs in. */
  readonly initiatorName: string;
  /** Its MAC address in the storage network, as AoE masks take it. */
  readonly mac: string;
  /** Its empty disk of 2 GiB, within the guest. */
  readonly diskPath = '/dev/vdb';
  /** Reaches it as VBS does, over one kept connection. */
  readonly machine: SshMachine;
  readonly #options: GuestOptions;
  #sshPort: number;
  #process: ProcessMark | undefined;

  constructor(options: GuestOptions) {
    const { name, kind, number, sshPort } = options.record;
    this.name = name;
    this.kind = kind;
    this.address = addressOf(number);
    this.initiatorName = `iqn.2026-11.lab.vbs:${name}`;
    this.mac = `52:54:00:01:00:${number.toString(16).padStart(2, '0')}`;
    this.machine = options.machine;
    this.#options = options;
    this.#sshPort = sshPort;
  }

  /** The pid of its QEMU, while that runs. */
  get pid(): number | undefined {
    return this.#process !== undefined && isRunning(this.#process) ? this.#process.pid : undefined;
  }

  /** Runs a command in the guest, without a shell. @throws as `Machine.run`; UNAVAILABLE with its console where its QEMU has ended. */
  run(...command: readonly [string, ...string[]]): Promise<RunResult> {
    return this.told(() => this.machine.run(labCall(), command));
  }

  /**
   * Runs a script in the guest's bash, which ends at the first command that fails (`set -euo pipefail`), and answers what it wrote. It
   * ends when everything that it started has: a daemon is started by `setsid`, with its output elsewhere.
   */
  async script(text: string, options: RunOptions = {}): Promise<string> {
    const run = () => this.machine.run(labCall(), ['bash', '-euo', 'pipefail', '-c', text], { timeLimitMs: scriptLimitMs, ...options });
    return (await this.told(run)).stdout;
  }

  /** The end of what it wrote to its console. */
  console(): Promise<string> {
    return consoleTail(this.#options.folder);
  }

  /** Puts it back to the saved state, with empty disks. */
  async fresh(): Promise<void> {
    const { folder, peers, record } = this.#options;
    await this.kill();
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await makeDisks(record.image, folder);
    const process = await this.#start('saved-state');
    await this.#restored(process);
    const names = peers.map(({ name, number }) => `${name}=${addressOf(number)}`);
    const words = [this.name, String(record.number), ...names];
    // The clock stands where it stood when the state was saved.
    const script = `date --set=@"$1" >/dev/null && shift && exec /usr/lib/vbs-lab/identity "$@"`;
    const command = ['bash', '-c', script, 'fresh', String(Date.now() / 1_000), ...words] as const;
    await this.told(() => firstCommand(this.machine, command, () => isRunning(process)));
    // What it was told of the guest when it connected is no longer so.
    await this.machine.close();
  }

  /**
   * Boots its kernel again, as a reset button would, after its disks' caches were written. It keeps its disks, its name and what lies in
   * /etc/iscsi, /etc/lvm, /etc/tgt, /etc/vbs, /var/lib/vbs and /var/lib/iscsi; what else was written to its root is gone.
   */
  async reboot(): Promise<void> {
    const process = this.#running();
    await this.run('sync');
    await this.machine.close();
    const from = await consoleSize(this.#options.folder);
    const qmp = await Qmp.connect(process.pid, 5_000);
    try {
      await qmp.execute('system_reset');
    } finally {
      qmp.close();
    }
    await this.#booted(process, from);
  }

  /** Ends its QEMU at once, as a machine ends whose power fails. A guest that is off stays so. */
  async kill(): Promise<void> {
    await endGuestsIn(this.#options.folder);
    this.#process = undefined;
    await this.machine.close();
  }

  /** Boots a guest that was killed, with the disks that it had. @throws FAILED_PRECONDITION: it runs. */
  async start(): Promise<void> {
    if (this.pid !== undefined) throw new VbsError('FAILED_PRECONDITION', `The guest ${this.name} runs already.`);
    const from = await consoleSize(this.#options.folder);
    await this.#booted(await this.#start('kernel'), from);
  }

  /** Takes over a guest that another process started; false: it does not run. */
  async adopt(): Promise<boolean> {
    this.#process = (await guestsIn(this.#options.folder))[0];
    return this.#process !== undefined;
  }

  async #start(from: 'saved-state' | 'kernel'): Promise<ProcessMark> {
    const { folder, record, segment, endsWithUs } = this.#options;
    const machine = { name: this.name, kind: this.kind, image: record.image, segment, sshPort: this.#sshPort };
    const started = await startOnFreePort({ machine, folder, from, endsWithUs });
    this.#process = started.process;
    if (started.sshPort !== this.#sshPort) await this.#options.onPort(this.name, started.sshPort);
    this.#sshPort = started.sshPort;
    return started.process;
  }

  async #restored(process: ProcessMark): Promise<void> {
    const { folder } = this.#options;
    try {
      const qmp = await Qmp.connect(process.pid, 30_000);
      try {
        for (const deadline = Date.now() + 60_000; ; await pause(20)) {
          const { status } = (await qmp.execute('query-status')) as { readonly status: string };
          // It is in the state in which it was saved.
          if (status === 'paused') {
            await qmp.execute('cont');
            return;
          }
          if (status !== 'inmigrate' || Date.now() > deadline)
            throw new VbsError('UNAVAILABLE', `QEMU says that the guest is "${status}".`);
        }
      } finally {
        qmp.close();
      }
    } catch (error) {
      throw await guestError('UNAVAILABLE', this.name, 'could not be restored from its saved state', folder, error);
    }
  }

  async #booted(process: ProcessMark, from: number): Promise<void> {
    await waitForBoot({ name: this.name, folder: this.#options.folder, process, from });
    await this.told(() => firstCommand(this.machine, ['true'], () => isRunning(process)));
  }

  #running(): ProcessMark {
    if (this.#process === undefined || !isRunning(this.#process))
      throw new VbsError('FAILED_PRECONDITION', `The guest ${this.name} does not run: start it, or take the lab down and up.`);
    return this.#process;
  }

  /** Acts on the guest; what fails because its QEMU has ended is told as that. */
  protected async told<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (!isVbsError(error) || this.pid !== undefined) throw error;
      throw await guestError('UNAVAILABLE', this.name, 'does not run (its QEMU has ended)', this.#options.folder, error);
    }
  }
}

export function addressOf(number: number): string {
  return `10.9.0.${number}`;
}
