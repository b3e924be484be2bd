import { createHash } from 'node:crypto';
import type { Call, Logger } from '../../contract/call.js';
import { VbsError } from '../../errors.js';
import { commandError } from '../command-errors.js';
import type { Argument, LongRunning, StartOptions } from '../machine.js';
import { redactorOf } from '../redact.js';
import { requireArguments } from '../require-arguments.js';
import { safeFileName } from '../safe-name.js';
import type { RemoteFacts } from './connection.js';
import { saidError } from './remote-errors.js';
import type { RemoteShell } from './remote-shell.js';
import type { Asked } from './session.js';

const usualGraceMs = 5_000;
const usualReadyMs = 10_000;
const findLimitMs = 30_000;

/** The ready line is looked for in so much of the log's start. */
const lookedAtBytes = 1024 * 1024;

/** A command that writes more than this before it is ready is ended. */
const mostLogBytes = 64 * 1024 * 1024;

/** Commands of another machine that outlive sessions and this process; records and logs lie in `processes/` of its state folder. */
export class RemoteLongRunning {
  constructor(
    private readonly shell: RemoteShell,
    private readonly log: Logger,
  ) {}

  async start(call: Call, name: string, command: readonly [string, ...Argument[]], options: StartOptions): Promise<LongRunning> {
    requireArguments(command);
    const file = safeFileName('name', name);
    const limitMs = options.timeLimitMs ?? usualReadyMs;
    const redactor = redactorOf(command);
    // Without `g` and `y`, which would make it remember where the last match ended.
    const pattern = new RegExp(options.readyLine.source, options.readyLine.flags.replace(/[gy]/g, ''));
    let asked: Asked | undefined;
    let toldBytes = 0;
    const { executed, act } = await this.shell.run({
      call,
      verb: 'v_start',
      words: (facts) => [file, this.#mark(facts, name), name, ...command],
      redactor,
      guard: options.guard,
      limitMs,
      graceMs: usualGraceMs,
      maxOutputBytes: mostLogBytes,
      onLine: (line) => {
        toldBytes += line.length + 1;
        if (toldBytes <= lookedAtBytes && pattern.test(line)) asked?.control('r');
      },
      onAsked: (given) => {
        asked = given;
      },
      mayStop: true,
    });
    const [kind, detail] = executed.end.words;
    const stderr = (executed.output[1] ?? Buffer.alloc(0)).toString('utf8');
    if (kind === 'started') return { name, pid: Number(detail) };
    if (kind === 'ended') {
      const exitCode = detail === '-' ? undefined : Number(detail);
      throw commandError('INTERNAL', 'ended before it was ready', redactor, { exitCode, stderr });
    }
    if (kind !== 'late') throw saidError(executed, act);
    const why = call.signal.aborted ? 'was ended because its call was cancelled' : `was not ready within ${limitMs} ms and was ended`;
    throw commandError('DEADLINE_EXCEEDED', why, redactor, { stderr }, { limitMs });
  }

  async find(call: Call, namePrefix: string): Promise<readonly LongRunning[]> {
    const { executed, act } = await this.shell.run({
      call,
      verb: 'v_find',
      words: (facts) => [this.#store(facts)],
      redactor: redactorOf(['find']),
      limitMs: findLimitMs,
    });
    if (executed.end.words[0] !== 'done') throw saidError(executed, act);
    const found = new Map<string, number>();
    for (const line of (executed.output[0] ?? Buffer.alloc(0)).toString('utf8').split('\n').slice(0, -1)) {
      const [pid = '', name = ''] = line.split(' ');
      if (pid === 'damaged')
        this.log.warn(
          { path: name, host: this.shell.host },
          'The record of a long-running command is damaged; it is looked for by its mark instead',
        );
      else if (name.startsWith(namePrefix) && !found.has(name)) found.set(name, Number(pid));
    }
    return [...found].map(([name, pid]) => ({ name, pid })).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async stop(call: Call, name: string, options: { readonly guard: string; readonly graceMs?: number }): Promise<void> {
    const file = safeFileName('name', name);
    const graceMs = options.graceMs ?? usualGraceMs;
    const { executed, act } = await this.shell.run({
      call,
      verb: 'v_stop',
      words: (facts) => [file, this.#mark(facts, name)],
      redactor: redactorOf([name]),
      guard: options.guard,
      waitMs: graceMs + usualGraceMs,
      limitMs: graceMs + findLimitMs,
      graceMs,
    });
    const [kind, pid] = executed.end.words;
    if (kind === 'done') return;
    if (kind !== 'hangs') throw saidError(executed, act);
    const message = `${name} (process ${pid} of ${this.shell.host}) hangs, or belongs to another user, and could not be ended.`;
    throw new VbsError('DEADLINE_EXCEEDED', message, { context: { name, pid: Number(pid), host: this.shell.host } });
  }

  #mark(facts: RemoteFacts, name: string): string {
    return `${this.#store(facts)}:${name}`;
  }

  /** Two stores on one machine may use the same names. */
  #store(facts: RemoteFacts): string {
    return createHash('sha256').update(this.shell.stateDirectory(facts)).digest('hex').slice(0, 16);
  }
}
