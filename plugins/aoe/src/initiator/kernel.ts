import { type Call, type CommandRunner, isVbsError, type Machine, type RunOptions, type RunResult, unlessCode, VbsError } from '@vbs/core';
import type { AoeAddress, WantedConnection } from './address.js';
import type { commands } from './commands.js';
import { mapAoeError } from './errors.js';

const limitMs = 15_000;
const readLimitMs = 5_000;
const answerMs = 500;
const goneLimitMs = 5_000;
/** A discovery of something else may bring a device back whose vblade still runs. */
const mostFlushes = 3;

/** Tells the aoe module what to do. Changes run under the guard of their attachment. */
export class AoeKernel {
  readonly #changed = new WeakSet<Call>();
  readonly #asked = new Map<string, number>();

  constructor(
    private readonly runner: CommandRunner<typeof commands>,
    private readonly machine: Machine,
  ) {}

  /** How long the answer to a question for a device may still come, in milliseconds; it is no matter any more afterwards. */
  answerDueMs({ key }: AoeAddress): number {
    const asked = this.#asked.get(key);
    this.#asked.delete(key);
    return asked === undefined ? 0 : Math.max(0, asked + answerMs - performance.now());
  }

  /** Whether a command of this call has changed something. */
  hasChanged(call: Call): boolean {
    return this.#changed.has(call);
  }

  /** Asks every target of the segment to tell itself; they answer later. */
  async discover(call: Call, { attachmentId, key }: WantedConnection): Promise<void> {
    this.#asked.set(key, performance.now());
    await this.#run(call, (options) => this.runner.run(call, 'discover', {}, options), { guard: attachmentId });
  }

  /** Asks the target of a device for its size; it answers later. Works on an open device too. */
  async revalidate(call: Call, { attachmentId, key }: WantedConnection): Promise<void> {
    await this.#run(call, (options) => this.runner.run(call, 'revalidate', { device: key }, options), { guard: attachmentId });
  }

  /**
   * Makes the kernel forget a device, and sees that it did. The kernel does not ask whether somebody has it open: who calls this has looked.
   * @throws UNAVAILABLE: the device is still there, or there again.
   */
  async flush(call: Call, { attachmentId, key, sysfs }: WantedConnection): Promise<void> {
    for (let flushes = 1; flushes <= mostFlushes; flushes++) {
      // The closing NUL makes it this device, and not each one whose name begins so.
      const options = { guard: attachmentId, input: `${key}\0` };
      await this.#run(call, (given) => this.runner.run(call, 'flush', {}, given), options);
      const gone = this.machine.waitForPath(call, sysfs, 'absent', { timeLimitMs: goneLimitMs }).then(() => true);
      if ((await unlessCode('DEADLINE_EXCEEDED', gone)) === true) return;
      if (call.signal.aborted) break;
    }
    const message = `${key} is still there after it was flushed: it is in use, or a discovery brought it back while its target still runs. Try again.`;
    throw new VbsError('UNAVAILABLE', message, { resource: attachmentId, context: { device: key } });
  }

  /** Whether the target answers: a read that no cache does. */
  async answers(call: Call, { devicePath }: Pick<AoeAddress, 'devicePath'>): Promise<boolean> {
    const options = { timeLimitMs: readLimitMs, okExitCodes: [0, 1] };
    // The kernel repeats a request for three minutes; what is ended here may hang as long.
    const read = this.#run(call, (given) => this.runner.run(call, 'readStart', { path: devicePath }, given), options);
    try {
      const { exitCode, stderr } = await read;
      if (exitCode !== 0 && /Permission denied/.test(stderr)) {
        const message = `This user may not read ${devicePath} (${stderr.trim()}): put sudo -n in front of the pattern readStart.`;
        throw new VbsError('PERMISSION_DENIED', message, { context: { command: 'readStart' } });
      }
      return exitCode === 0;
    } catch (error) {
      if (isVbsError(error) && error.code === 'DEADLINE_EXCEEDED' && !call.signal.aborted) return false;
      throw error;
    }
  }

  async flushBuffers(call: Call, { attachmentId, devicePath }: WantedConnection): Promise<void> {
    await this.#run(call, (options) => this.runner.run(call, 'flushBuffers', { path: devicePath }, options), { guard: attachmentId });
  }

  async setAccess(call: Call, { attachmentId, devicePath }: WantedConnection, readOnly: boolean): Promise<void> {
    const name = readOnly ? 'setReadOnly' : 'setReadWrite';
    await this.#run(call, (options) => this.runner.run(call, name, { path: devicePath }, options), { guard: attachmentId });
  }

  /** Lets udev end its looks into devices, which it begins whenever one that was open for writing is closed. */
  async awaitUdev(call: Call): Promise<void> {
    // 1: it is not running, or has not ended; who has the device open is looked at afterwards in any case.
    const settled = this.#run(call, (given) => this.runner.run(call, 'awaitUdev', {}, given), { okExitCodes: [0, 1] });
    await unlessCode('FAILED_PRECONDITION', settled);
  }

  /** The `/proc/<pid>/fd/<n>` that lead to a device or its partitions. @throws PERMISSION_DENIED: not every process could be looked at. */
  async openers(call: Call, { devicePath }: Pick<AoeAddress, 'devicePath'>): Promise<readonly string[]> {
    // 1: processes that ended during the walk.
    const options = { okExitCodes: [0, 1] };
    const { stdout, stderr } = await this.#run(call, (given) => this.runner.run(call, 'findOpeners', { path: devicePath }, given), options);
    if (/Permission denied|Operation not permitted/.test(stderr)) {
      const message =
        'It cannot be seen whether a process has the device open: this user may not look at every process. Put sudo -n in front of the pattern findOpeners.';
      throw new VbsError('PERMISSION_DENIED', message, { context: { command: 'findOpeners' } });
    }
    return stdout.split('\n').filter((line) => line !== '');
  }

  async #run(call: Call, act: (options: RunOptions) => Promise<RunResult>, options: RunOptions): Promise<RunResult> {
    try {
      const result = await act({ timeLimitMs: limitMs, ...options });
      if (options.guard !== undefined) this.#changed.add(call);
      return result;
    } catch (error) {
      throw mapAoeError(error);
    }
  }
}
