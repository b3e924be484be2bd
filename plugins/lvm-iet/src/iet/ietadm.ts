import { type Call, type CommandRunner, type CommandValues, type RunResult, type Secret, unlessCode } from '@vbs/core';
import type { commands } from './commands.js';
import { mapIetError } from './map-error.js';
import { dataLun } from './names.js';
import { type IetUser, parseUsers } from './parse-users.js';

type Commands = typeof commands;

/** ietadm answers within milliseconds; an ietd that was stopped never does. */
const limitMs = 30_000;
/** How ietadm ends, without a word, where a session or connection is not there. */
const noSuchConnection = 2;

export interface NewLun {
  readonly path: string;
  readonly type: 'blockio' | 'fileio';
  readonly serial: string;
  readonly mode: 'ro' | 'wt' | 'wb';
}

/** Speaks to ietd by ietadm, a command for each method. Changes run under the guard of their export. */
export class Ietadm {
  readonly #changed = new WeakSet<Call>();

  constructor(private readonly commands: CommandRunner<Commands>) {}

  hasChanged(call: Call): boolean {
    return this.#changed.has(call);
  }

  /** As ietadm tells it; it asks no ietd for it. */
  async version(call: Call): Promise<string> {
    return (await this.#run(call, 'showVersion', {})).stdout.trim();
  }

  async createTarget(call: Call, guard: string, tid: number, iqn: string): Promise<void> {
    await this.#run(call, 'createTarget', { tid, iqn }, guard);
  }

  /** Refused while anybody is connected. Its accounts stay behind, for the next target of this id. */
  async deleteTarget(call: Call, guard: string, tid: number): Promise<void> {
    await this.#run(call, 'deleteTarget', { tid }, guard);
  }

  /** Also of a target id that has no target. */
  async users(call: Call, tid: number): Promise<readonly IetUser[]> {
    const result = await unlessCode('NOT_FOUND', this.#run(call, 'listUsers', { tid }));
    return result === undefined ? [] : parseUsers(result.stdout);
  }

  /** ietadm takes a password by its command line alone, and adds an account as often as it is asked. */
  async createUser(call: Call, guard: string, tid: number, user: string, password: Secret): Promise<void> {
    await this.#run(call, 'createUser', { tid, user, password }, guard);
  }

  /** One of the accounts of this name. */
  async deleteUser(call: Call, guard: string, tid: number, { direction, name }: IetUser): Promise<void> {
    await this.#run(call, 'deleteUser', { tid, direction, user: name }, guard);
  }

  async createLun(call: Call, guard: string, tid: number, lun: NewLun): Promise<void> {
    await this.#run(call, 'createLun', { tid, lun: dataLun, ...lun }, guard);
  }

  async deleteLun(call: Call, guard: string, tid: number): Promise<void> {
    await this.#run(call, 'deleteLun', { tid, lun: dataLun }, guard);
  }

  /** Also one that has gone already. */
  async dropConnection(call: Call, guard: string, tid: number, sid: string, cid: number): Promise<void> {
    await this.#run(call, 'dropConnection', { tid, sid, cid }, guard, [0, noSuchConnection]);
  }

  async #run<K extends keyof Commands & string>(
    call: Call,
    name: K,
    values: CommandValues<Commands[K]>,
    guard?: string,
    okExitCodes: readonly number[] = [0],
  ): Promise<RunResult> {
    try {
      const result = await this.commands.run(call, name, values, {
        timeLimitMs: limitMs,
        okExitCodes,
        ...(guard === undefined ? {} : { guard }),
      });
      if (guard !== undefined) this.#changed.add(call);
      return result;
    } catch (error) {
      throw mapIetError(error);
    }
  }
}
