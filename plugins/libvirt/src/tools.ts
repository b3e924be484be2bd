import {
  type Call,
  type CommandRunner,
  type CommandValues,
  isVbsError,
  type Machine,
  type RunOptions,
  type RunResult,
  type Secret,
  toVbsError,
  VbsError,
} from '@vbs/core';
import type { commands } from './commands.js';
import { mapLibvirtError } from './map-error.js';
import { RequestsNoted } from './requests-noted.js';

export type Commands = typeof commands;
type Name = keyof Commands;
/** What a command takes besides the connection. */
type Values<K extends Name> = Omit<CommandValues<Commands[K]>, 'uri'>;

export interface Settings {
  readonly uri: string;
  readonly initiatorName: string;
  readonly onError: 'report' | 'stop';
  readonly releaseTimeoutSeconds: number;
}

/** Above the 30 s for which libvirt waits for another act on the same VM. */
const limitMs = 40_000;

/** virsh on one machine, with its errors mapped. */
export class Tools {
  readonly #changed = new WeakSet<Call>();
  readonly #seen = new WeakSet<VbsError>();
  readonly requests = new RequestsNoted();

  constructor(
    readonly machine: Machine,
    readonly settings: Settings,
    private readonly runner: CommandRunner<Commands>,
  ) {}

  /** A command that changes nothing. */
  async read<K extends 'look' | 'dumpVm' | 'readSize'>(call: Call, name: K, values: Values<K>): Promise<RunResult> {
    return await this.#run(call, name, values, { timeLimitMs: limitMs, maxOutputBytes: 64 * 1024 * 1024 });
  }

  /** A command that changes something, guarded; answers how it failed. @throws what says that it was not begun. */
  async change<K extends Exclude<Name, 'look' | 'dumpVm' | 'readSize'>>(
    call: Call,
    guard: string,
    name: K,
    values: Values<K>,
  ): Promise<VbsError | undefined> {
    try {
      await this.#run(call, name, values, { timeLimitMs: limitMs, guard });
    } catch (error) {
      const failure = toVbsError(error);
      const isBegun =
        failure.context.exitCode !== undefined || !['ABORTED', 'PERMISSION_DENIED', 'FAILED_PRECONDITION'].includes(failure.code);
      if (!isBegun) throw failure;
      this.#changed.add(call);
      return failure;
    }
    this.#changed.add(call);
    return undefined;
  }

  /**
   * Acts with a file of the guard's own, which only this user may read, and which is gone afterwards. virsh reads neither XML nor secrets
   * from its standard input. `put` writes the file and answers its path.
   *
   * @throws what `act` throws; else, where the file stays, what removing it throws.
   */
  async withFile<T>(call: Call, guard: string, act: (put: (text: string | Secret) => Promise<string>) => Promise<T>): Promise<T> {
    await this.#run(call, 'makeFolder', { path: await this.#folder(call) }, { guard });
    const path = await this.#file(call, guard);
    const put = async (text: string | Secret): Promise<string> => {
      await this.machine.writeFile(call, path, text, { guard });
      return path;
    };
    // The call may be cancelled by then, and the file must not stay.
    const own = { ...call, signal: AbortSignal.timeout(limitMs) };
    let result: T;
    try {
      result = await act(put);
    } catch (error) {
      await this.removeFile(own, guard).catch((left: unknown) =>
        call.log.warn({ error: toVbsError(left).toJSON(), path }, 'a file for virsh could not be removed'),
      );
      throw error;
    }
    await this.removeFile(own, guard);
    return result;
  }

  /** The file of `withFile`, which a process that was killed may have left. */
  async removeFile(call: Call, guard: string): Promise<void> {
    await this.#run(call, 'removeFile', { path: await this.#file(call, guard) }, { guard });
  }

  async #folder(call: Call): Promise<string> {
    return `${await this.machine.stateDirectory(call)}/libvirt`;
  }

  async #file(call: Call, guard: string): Promise<string> {
    return `${await this.#folder(call)}/${guard}`;
  }

  /**
   * Acts, and lets no error say that nothing changed where only a later look of the same call was refused (safety A1): a call that was
   * cancelled between two commands, say.
   */
  async honestly<T>(call: Call, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (!isVbsError(error) || !this.#changed.has(call) || !['ABORTED', 'PERMISSION_DENIED'].includes(error.code)) throw error;
      if (this.#seen.has(error)) throw error;
      const message = `A command has been run, and what came of it was not seen: ${error.message}`;
      throw new VbsError('DEADLINE_EXCEEDED', message, { context: error.context, cause: error });
    }
  }

  /** Marks an error after which it was seen that nothing changed (safety A1). */
  nothingChanged(failure: VbsError): VbsError {
    this.#seen.add(failure);
    return failure;
  }

  async #run<K extends Name>(call: Call, name: K, values: Values<K>, options: RunOptions): Promise<RunResult> {
    try {
      const whole = { ...values, uri: this.settings.uri } as unknown as CommandValues<Commands[K]>;
      return await this.runner.run(call, name, whole, options);
    } catch (error) {
      throw mapLibvirtError(error);
    }
  }
}
