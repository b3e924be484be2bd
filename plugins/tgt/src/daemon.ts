import { setTimeout as pause } from 'node:timers/promises';
import { type Call, type CommandRunner, isVbsError, type Machine, VbsError } from '@vbs/core';
import type { commands } from './commands.js';
import { instanceDigest } from './names.js';
import type { TgtTarget } from './parse-targets.js';
import { isServedBy, type Portal } from './portal.js';
import type { RevokedMarks } from './revoked-marks.js';
import type { Control, Tgtadm } from './tgtadm.js';

/** What tgtd has, seen at one look, after its portal was seen to listen. */
export interface Look {
  readonly targets: readonly TgtTarget[];
  readonly portals: readonly Portal[];
}

export interface DaemonSettings extends Control {
  readonly daemon: 'own' | 'external';
  readonly portal: string;
  readonly wanted: Portal;
  readonly ioThreads: number;
}

interface Surroundings {
  readonly name: string;
  readonly machine: Machine;
  readonly commands: CommandRunner<typeof commands>;
}

/** tgtd's last word before it waits for commands; it has tried its portal then. */
const readyLine = /tgtd: bs_init\(\d+\)/;
/** SIGTERM means nothing to tgtd. */
const graceMs = 200;
const firstAnswerLimitMs = 10_000;
const firstAnswerPauseMs = 20;

/** The tgtd of an instance: the operator's, or one of its own, which outlives this process and is found again. */
export class Daemon {
  readonly #process: string;
  #starting: Promise<void> | undefined;

  constructor(
    private readonly settings: DaemonSettings,
    private readonly surroundings: Surroundings,
    private readonly tgtadm: Tgtadm,
    private readonly marks: RevokedMarks,
  ) {
    this.#process = `tgtd-${instanceDigest(surroundings.name)}`;
  }

  /**
   * Every target. An own tgtd that does not run is started, and has none.
   * @throws UNAVAILABLE: no tgtd answers, or it does not listen on the portal, so that nothing said of its targets would hold (trap 4).
   */
  async look(call: Call): Promise<Look> {
    if (this.settings.daemon === 'external') return this.#seen(call);
    try {
      return await this.#seen(call);
    } catch (error) {
      if (!isVbsError(error) || error.code !== 'UNAVAILABLE') throw error;
    }
    // Of many that find none at once, one starts it; the others look what came of that.
    if (this.#starting !== undefined) {
      await Promise.allSettled([this.#starting]);
      return await this.look(call);
    }
    this.#starting = this.start(call).finally(() => {
      this.#starting = undefined;
    });
    await this.#starting;
    return await this.#seen(call);
  }

  /**
   * Starts an own tgtd, or finds the one that runs.
   * @throws RESOURCE_EXHAUSTED: its portal is taken by another program. FAILED_PRECONDITION: tgtd is not installed.
   */
  async start(call: Call): Promise<void> {
    if (this.settings.daemon === 'external') return;
    // A guard that is a lock alone: it changes no resource of the store.
    const own = { ...call, epoch: 0 };
    const { machine, commands: runner } = this.surroundings;
    const { socket, control, portal, ioThreads } = this.settings;
    await this.marks.makeFolder(own, this.#process);
    const command = runner.fill('startDaemon', { socket, control, portal, threads: ioThreads });
    const { pid } = await machine.start(own, this.#process, command, { guard: this.#process, readyLine });
    const { portals, targets } = await this.#firstAnswer(call);
    if (portals.some((open) => isServedBy(this.settings.wanted, open))) {
      call.log.info({ pid, portal }, 'tgtd runs');
      return;
    }
    if (targets.length === 0) await machine.stop(own, this.#process, { guard: this.#process, graceMs });
    const message = `tgtd could not listen on ${portal}: another program has the port, or this machine has no such address. Free it, or configure another portal.`;
    throw new VbsError('RESOURCE_EXHAUSTED', message, { context: { field: 'portal', portal } });
  }

  /** tgtd says that it is there a moment before its control socket answers. */
  async #firstAnswer(call: Call): Promise<Look> {
    for (const deadline = performance.now() + firstAnswerLimitMs; ; ) {
      try {
        return await this.#read(call);
      } catch (error) {
        if (!isVbsError(error) || error.code !== 'UNAVAILABLE' || performance.now() > deadline) throw error;
        await pause(firstAnswerPauseMs);
      }
    }
  }

  async #read(call: Call): Promise<Look> {
    const [targets, portals] = await Promise.all([this.tgtadm.targets(call), this.tgtadm.portals(call)]);
    return { targets, portals };
  }

  async #seen(call: Call): Promise<Look> {
    const look = await this.#read(call);
    if (look.portals.some((open) => isServedBy(this.settings.wanted, open))) return look;
    const { portal, socket, control } = this.settings;
    const open = look.portals.map(({ host, port }) => `${host}:${port}`);
    const message = `tgtd (${socket}.${control}) runs, and does not listen on ${portal}: another program may have had the port when it started. It is not taken for the tgtd of this exporter.`;
    throw new VbsError('UNAVAILABLE', message, { context: { portal, listening: open } });
  }
}
