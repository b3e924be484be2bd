import type { Call, CommandRunner, CommandValues, RunResult, Secret } from '@vbs/core';
import type { commands } from './commands.js';
import { mapTgtError } from './map-error.js';
import { dataLun } from './names.js';
import { parsePortals } from './parse-portals.js';
import { parseInFlight } from './parse-statistics.js';
import { parseTargets, type TgtTarget } from './parse-targets.js';
import type { Portal } from './portal.js';

type Commands = typeof commands;
type Name = keyof Commands & string;
/** What a command takes besides the tgtd that it speaks to. */
type Values<K extends Name> = Omit<CommandValues<Commands[K]>, 'socket' | 'control'>;

/** Which tgtd. */
export interface Control {
  readonly socket: string;
  readonly control: number;
}

/** tgtadm answers within milliseconds; a tgtd that was stopped never does. */
const limitMs = 30_000;
const mostOutputBytes = 64 * 1024 * 1024;

/** Speaks to one tgtd by tgtadm, a command for each method. Changes run under the guard of their export. */
export class Tgtadm {
  readonly #changed = new WeakSet<Call>();

  constructor(
    private readonly commands: CommandRunner<Commands>,
    private readonly control: Control,
  ) {}

  /** Whether a command of this call has changed something. */
  hasChanged(call: Call): boolean {
    return this.#changed.has(call);
  }

  /** Every target, of whomever. @throws UNAVAILABLE: no tgtd answers. */
  async targets(call: Call): Promise<readonly TgtTarget[]> {
    return parseTargets((await this.#run(call, 'listTargets', {})).stdout);
  }

  async portals(call: Call): Promise<readonly Portal[]> {
    return parsePortals((await this.#run(call, 'listPortals', {})).stdout);
  }

  /** The commands of the data LUN that were begun and have not ended. */
  async inFlight(call: Call, tid: number): Promise<number> {
    return parseInFlight((await this.#run(call, 'readStatistics', { tid, lun: dataLun })).stdout);
  }

  async createTarget(call: Call, guard: string, tid: number, iqn: string): Promise<void> {
    await this.#run(call, 'createTarget', { tid, iqn }, guard);
  }

  /** With its LUN, bindings and access list; refused while anybody is connected. */
  async deleteTarget(call: Call, guard: string, tid: number): Promise<void> {
    await this.#run(call, 'deleteTarget', { tid }, guard);
  }

  async setTargetState(call: Call, guard: string, tid: number, state: 'ready' | 'offline'): Promise<void> {
    await this.#run(call, 'setTargetState', { tid, state }, guard);
  }

  /** tgtadm takes a password by its command line alone. */
  async createAccount(call: Call, guard: string, user: string, password: Secret): Promise<void> {
    await this.#run(call, 'createAccount', { user, password }, guard);
  }

  async bindAccount(call: Call, guard: string, tid: number, user: string): Promise<void> {
    await this.#run(call, 'bindAccount', { tid, user }, guard);
  }

  /** Also one that is bound: its targets then ask nobody for a secret. */
  async deleteAccount(call: Call, guard: string, user: string): Promise<void> {
    await this.#run(call, 'deleteAccount', { user }, guard);
  }

  async createLun(call: Call, guard: string, tid: number, path: string, flags: string): Promise<void> {
    if (flags === '') await this.#run(call, 'createLun', { tid, lun: dataLun, path }, guard);
    else await this.#run(call, 'createLunWithFlags', { tid, lun: dataLun, path, flags }, guard);
  }

  async identifyLun(call: Call, guard: string, tid: number, serial: string, readOnly: boolean): Promise<void> {
    await this.#run(call, 'identifyLun', { tid, lun: dataLun, serial, readonly: readOnly ? 1 : 0 }, guard);
  }

  async setLunOnline(call: Call, guard: string, tid: number, online: boolean): Promise<void> {
    await this.#run(call, 'setLunOnline', { tid, lun: dataLun, online: online ? 1 : 0 }, guard);
  }

  /** Opens the path anew, with the size that it has now; the LUN must be offline. */
  async setLunPath(call: Call, guard: string, tid: number, path: string): Promise<void> {
    await this.#run(call, 'setLunPath', { tid, lun: dataLun, path }, guard);
  }

  async admit(call: Call, guard: string, tid: number, who: string): Promise<void> {
    if (isInitiatorName(who)) await this.#run(call, 'admitInitiator', { tid, initiator: who }, guard);
    else await this.#run(call, 'admitAddress', { tid, address: who }, guard);
  }

  async expel(call: Call, guard: string, tid: number, who: string): Promise<void> {
    if (isInitiatorName(who)) await this.#run(call, 'expelInitiator', { tid, initiator: who }, guard);
    else await this.#run(call, 'expelAddress', { tid, address: who }, guard);
  }

  async dropConnection(call: Call, guard: string, tid: number, sid: number, cid: number): Promise<void> {
    await this.#run(call, 'dropConnection', { tid, sid, cid }, guard);
  }

  async #run<K extends Name>(call: Call, name: K, values: Values<K>, guard?: string): Promise<RunResult> {
    const { socket, control } = this.control;
    try {
      const whole = { ...values, socket, control } as unknown as CommandValues<Commands[K]>;
      const result = await this.commands.run(call, name, whole, {
        timeLimitMs: limitMs,
        maxOutputBytes: mostOutputBytes,
        ...(guard === undefined ? {} : { guard }),
      });
      if (guard !== undefined) this.#changed.add(call);
      return result;
    } catch (error) {
      throw mapTgtError(error);
    }
  }
}

/** Everything else in an access list is an address, or ALL. */
export function isInitiatorName(who: string): boolean {
  return /^(iqn|eui|naa)\./i.test(who);
}
