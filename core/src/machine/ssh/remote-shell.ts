import { setTimeout as pause } from 'node:timers/promises';
import type { Call, Logger } from '../../contract/call.js';
import type { Secret } from '../../contract/secret.js';
import { VbsError } from '../../errors.js';
import type { Argument } from '../machine.js';
import type { Redactor } from '../redact.js';
import { safeFileName } from '../safe-name.js';
import { Slots } from '../slots.js';
import type { Connection, RemoteFacts } from './connection.js';
import { CutOff, type Executed, execute, orCancelled } from './execute.js';
import { type RemoteAct, stoppedError } from './remote-errors.js';
import { remoteProgram, sessionProgram } from './remote-program.js';
import type { Asked } from './session.js';
import { Sessions } from './sessions.js';
import { Turns } from './turns.js';

/** A function of the remote library that is to be run. */
export interface RemoteRequest {
  readonly call: Call;
  readonly verb: `v_${string}`;
  readonly words: readonly Argument[] | ((facts: RemoteFacts) => readonly Argument[]);
  readonly redactor: Redactor;
  /** The resource whose guard it takes (safety B1). */
  readonly guard?: string | undefined;
  readonly waitMs?: number;
  readonly limitMs: number;
  readonly graceMs?: number;
  readonly input?: string | Secret | undefined;
  readonly maxOutputBytes?: number | undefined;
  readonly onLine?: ((line: string) => void) | undefined;
  readonly onAsked?: (asked: Asked) => void;
  /** The program tells by itself how it ended where it was asked to end. */
  readonly mayStop?: true;
}

export interface RemoteShellOptions {
  readonly connection: Connection;
  /** On the other machine; a folder of the user's unless told. */
  readonly stateDirectory?: string | undefined;
  readonly graceMs: number;
  /** An unused session is closed after so many milliseconds. */
  readonly idleMs: number;
  readonly log: Logger;
}

const usualMaxOutputBytes = 16 * 1024 * 1024;
/** A connection that dies may take a session yet, and cut it off too. */
const lossTries = 5;
const lossPauseMs = 50;

/**
 * Runs programs on another machine: at most 8 at once, those of one guard after each other. What was cut off under a guard is ended
 * before anything else is looked at there, so that no check comes before a late effect (safety B2).
 */
export class RemoteShell {
  readonly #options: RemoteShellOptions;
  readonly #slots = new Slots();
  readonly #turns = new Turns();
  readonly #sessions: Sessions;
  readonly #cutOff = new Set<string>();
  #settling: Promise<void> | undefined;

  constructor(options: RemoteShellOptions) {
    this.#options = options;
    const programOf = (facts: RemoteFacts) => sessionProgram({ ...facts, stateDirectory: this.stateDirectory(facts) });
    this.#sessions = new Sessions(options.connection, programOf, options.idleMs);
  }

  /** Ends the sessions that are not asked anything. */
  close(): void {
    this.#sessions.close();
  }

  get host(): string {
    return this.#options.connection.host;
  }

  get graceMs(): number {
    return this.#options.graceMs;
  }

  stateDirectory({ uid, home }: RemoteFacts): string {
    return this.#options.stateDirectory ?? (uid === '0' ? '/var/lib/vbs' : `${home}/.local/state/vbs`);
  }

  /** What a program said, and what an error of it is about. @throws what ended it otherwise. */
  async run(request: RemoteRequest): Promise<{ readonly executed: Executed; readonly act: RemoteAct }> {
    const { call, guard } = request;
    const file = guard === undefined ? undefined : safeFileName('guard', guard);
    if (guard === undefined) return await this.#inSlot(request, file);
    return await this.#turns.take(call, guard, () => this.#inSlot(request, file));
  }

  async #inSlot(request: RemoteRequest, file: string | undefined): Promise<{ readonly executed: Executed; readonly act: RemoteAct }> {
    const { call, guard, limitMs, redactor } = request;
    let stateDirectory = this.#options.stateDirectory ?? '';
    const result = await this.#slots
      .run(call.signal, () => {
        const ready = orCancelled(call.signal, this.#settled());
        const running = ready.then(() => {
          const started = this.#execute(request, file, (found) => {
            stateDirectory = found;
          });
          return { started };
        });
        const ended = running.then(
          ({ started }) => started.ended,
          () => undefined,
        );
        return { result: running.then(({ started }) => started.result), ended };
      })
      .catch(async (error: unknown) => {
        if (!(error instanceof CutOff)) throw error;
        throw await this.#afterCutOff(error, request);
      });
    const act: RemoteAct = { host: this.host, redactor, resource: guard, epoch: call.epoch, limitMs, stateDirectory };
    const more = { maxOutputBytes: request.maxOutputBytes };
    // A command that was asked to end and did tells no more than its exit.
    const asked = result.stop !== undefined && request.mayStop !== true && result.end.words[0] === 'exit';
    if (asked) throw stoppedError(result, act, more);
    return { executed: result, act };
  }

  #execute(request: RemoteRequest, file: string | undefined, tellState: (directory: string) => void) {
    const { call, verb, words, limitMs, input, onLine, onAsked } = request;
    const graceMs = request.graceMs ?? this.graceMs;
    const waitMs = file === undefined ? 0 : (request.waitMs ?? limitMs);
    return execute(this.#sessions, this.host, {
      program: (facts) => {
        tellState(this.stateDirectory(facts));
        return remoteProgram(verb, typeof words === 'function' ? words(facts) : words, {
          ...(file === undefined ? {} : { guard: file }),
          epoch: call.epoch,
          waitMs,
          limitMs,
          graceMs,
          input,
        });
      },
      signal: call.signal,
      waitMs,
      limitMs,
      graceMs,
      maxOutputBytes: request.maxOutputBytes ?? usualMaxOutputBytes,
      onLine,
      ...(onAsked === undefined ? {} : { onAsked }),
    });
  }

  async #afterCutOff({ mark, said, stop }: CutOff, { call, guard, redactor }: RemoteRequest): Promise<VbsError> {
    const context = { host: this.host, command: redactor.command, stderr: redactor.text(said).slice(-2_000), reason: 'connection-lost' };
    const lost = `The SSH connection to ${this.host} was lost while ${redactor.command[0]} ran there`;
    if (guard === undefined && stop === undefined)
      return new VbsError('UNAVAILABLE', `${lost}; it changes nothing and may be repeated.`, { context });
    if (guard === undefined) return new VbsError('DEADLINE_EXCEEDED', `${lost}, and it did not end in time.`, { context });
    this.#cutOff.add(mark);
    const ended = await this.#settled().then(
      () => 'what was left of it was ended',
      (error: unknown) => {
        call.log.warn({ err: error, host: this.host, resource: guard }, 'A command that was cut off could not be ended yet');
        return 'it may run still, and is ended before anything else is done there';
      },
    );
    const message = `${lost}: ${ended}. Whether it took effect is not known.`;
    return new VbsError('DEADLINE_EXCEEDED', message, { resource: guard, context });
  }

  /** Ends what was cut off. @throws UNAVAILABLE, DEADLINE_EXCEEDED: it could not be ended. */
  #settled(): Promise<void> {
    if (this.#cutOff.size === 0) return Promise.resolve();
    this.#settling ??= this.#settle().finally(() => {
      this.#settling = undefined;
    });
    return this.#settling;
  }

  async #settle(): Promise<void> {
    const marks = [...this.#cutOff];
    for (let tries = 1; !(await this.#endMarked(marks)); tries++) {
      if (tries === lossTries) throw new VbsError('UNAVAILABLE', `The SSH connection to ${this.host} was lost again.`);
      await pause(lossPauseMs * 2 ** tries);
    }
    for (const mark of marks) this.#cutOff.delete(mark);
  }

  /** False: the connection was lost under it too, as a connection is that dies part by part. */
  async #endMarked(marks: readonly string[]): Promise<boolean> {
    const { graceMs } = this.#options;
    const limitMs = graceMs + 10_000;
    const { result } = execute(this.#sessions, this.host, {
      program: () => remoteProgram('v_lost', marks, { epoch: 0, waitMs: 0, limitMs, graceMs }),
      signal: new AbortController().signal,
      waitMs: 0,
      limitMs,
      graceMs,
      maxOutputBytes: usualMaxOutputBytes,
    });
    const ended = await result.catch((error: unknown) => {
      if (error instanceof CutOff) return null;
      throw error;
    });
    if (ended === null) return false;
    if (ended.end.words[0] !== 'done') {
      const message = `A command on ${this.host} whose connection was lost hangs, or belongs to another user, and could not be ended.`;
      throw new VbsError('DEADLINE_EXCEEDED', message, { context: { host: this.host } });
    }
    return true;
  }
}
