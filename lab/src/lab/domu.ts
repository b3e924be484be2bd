import { setTimeout as pause } from 'node:timers/promises';
import { isVbsError, type RunOptions, type RunResult, VbsError } from '@vbs/core';

/** How long a script in a DomU may take, and how it may end. */
export interface DomuOptions {
  /** In milliseconds; 30,000 unless told. */
  readonly timeLimitMs?: number;
  /** Exit codes that are no failure; only 0 unless told. */
  readonly okExitCodes?: readonly number[];
}

/** Runs a command in Dom0. */
export type InDom0 = (command: readonly [string, ...string[]], options?: RunOptions) => Promise<RunResult>;

const usualLimitMs = 30_000;
const startLimitMs = 90_000;
const domuRun = '/usr/lib/vbs-lab/domu-run';
/** Exit codes of domu-run. */
const noSuchDomain = 3;
const noAnswer = 4;
/** What timeout(1) of busybox answers for what it killed. */
const killed = 137;

/** A paravirtual machine of a Xen host: a kernel and busybox in 128 MB, which take commands over the console. */
export class Domu {
  readonly name: string;
  readonly #dom0: InDom0;

  constructor(name: string, dom0: InDom0) {
    this.name = name;
    this.#dom0 = dom0;
  }

  /** Its configuration, in Dom0. */
  get configFile(): string {
    return `/etc/xen/${this.name}.cfg`;
  }

  /**
   * Runs a script in the DomU's busybox sh, after those that were given before; a console is slow, so it should write little. What it
   * leaves in the background goes on, if its output goes elsewhere. @throws NOT_FOUND: the DomU does not run. DEADLINE_EXCEEDED: the script was killed at its limit, or the DomU gives no
   * answer. INTERNAL: an exit code that is not in `okExitCodes`.
   */
  async run(script: string, { timeLimitMs = usualLimitMs, okExitCodes = [0] }: DomuOptions = {}): Promise<RunResult> {
    const seconds = String(Math.max(1, Math.ceil(timeLimitMs / 1_000)));
    const answered = await this.#dom0([domuRun, this.name, seconds], {
      input: script,
      okExitCodes: [0, noSuchDomain, noAnswer],
      timeLimitMs: 2 * timeLimitMs + 20_000,
    });
    if (answered.exitCode === noSuchDomain) throw new VbsError('NOT_FOUND', `There is no DomU ${this.name}: start it.`);
    const result = answered.exitCode === noAnswer ? undefined : parseAnswer(answered.stdout);
    if (result === undefined)
      throw new VbsError(
        'DEADLINE_EXCEEDED',
        `The DomU ${this.name} gave no answer within ${seconds} s. Its console:\n${await this.console()}`,
      );
    if (okExitCodes.includes(result.exitCode)) return result;
    const context = { domu: this.name, exitCode: result.exitCode, stderr: result.stderr };
    if (result.exitCode === killed)
      throw new VbsError('DEADLINE_EXCEEDED', `In the DomU ${this.name} the script was killed: its limit is ${seconds} s.`, { context });
    throw new VbsError('INTERNAL', `In the DomU ${this.name} the script failed with exit code ${result.exitCode}: ${result.stderr}`, {
      context,
    });
  }

  /** Its id, another at each start; undefined: it does not run. */
  async id(): Promise<number | undefined> {
    const { exitCode, stdout } = await this.#dom0(['xl', 'domid', this.name], { okExitCodes: [0, 1] });
    return exitCode === 0 ? Number(stdout) : undefined;
  }

  /** Creates it from its configuration, and ends when it takes commands. */
  async start(): Promise<void> {
    await this.#dom0(['xl', 'create', '-q', this.configFile], { timeLimitMs: startLimitMs });
    await this.ready();
  }

  /** Ends when it takes commands, as after a reboot from within. @throws DEADLINE_EXCEEDED: with its console. */
  async ready(limitMs = startLimitMs): Promise<void> {
    for (const deadline = Date.now() + limitMs; ; await pause(100)) {
      try {
        await this.run('true', { timeLimitMs: 2_000 });
        return;
      } catch (error) {
        const isEarly = isVbsError(error) && (error.code === 'NOT_FOUND' || error.code === 'DEADLINE_EXCEEDED');
        if (!isEarly || Date.now() > deadline) throw error;
      }
    }
  }

  /** Ends it at once, as a machine ends whose power fails. */
  async destroy(): Promise<void> {
    await this.#dom0(['xl', 'destroy', this.name]);
  }

  /** The end of what it wrote to its console, over all of its starts, without the answers that went over it. */
  async console(): Promise<string> {
    const log = `/var/log/xen/console/guest-${this.name}.log`;
    const { stdout, stderr } = await this.#dom0(['sed', '-n', '/^@/d; s/\r$//; p', log], { okExitCodes: [0, 2] });
    return stderr + stdout.slice(-4_000);
  }
}

/** Reads what domu-run answers; undefined: its end is missing. */
export function parseAnswer(text: string): RunResult | undefined {
  const lines = text.split('\n');
  const exit = lines.find((line) => line.startsWith('x'));
  if (exit === undefined || !lines.includes('.')) return undefined;
  const told = (mark: string): string =>
    Buffer.from(lines.flatMap((line) => (line.startsWith(mark) ? [line.slice(1)] : [])).join(''), 'base64').toString('utf8');
  return { exitCode: Number(exit.slice(1)), stdout: told('o'), stderr: told('e') };
}
