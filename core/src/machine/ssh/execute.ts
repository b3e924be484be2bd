import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { VbsError } from '../../errors.js';
import type { Started } from '../slots.js';
import { longestTimerMs } from '../wait-until.js';
import type { RemoteFacts } from './connection.js';
import type { RemoteProgram } from './remote-program.js';
import { type Asked, NoSession, type RequestEnd, type Session } from './session.js';
import type { Sessions } from './sessions.js';

/** Why a command was asked to end before its own end. */
export interface Stop {
  readonly why: 'limit' | 'cancelled' | 'output' | 'onLine';
  readonly cause?: unknown;
}

export interface ExecuteRequest {
  readonly program: (facts: RemoteFacts) => RemoteProgram;
  readonly signal: AbortSignal;
  /** How long it may wait on the other machine before it begins, in milliseconds. */
  readonly waitMs: number;
  readonly limitMs: number;
  readonly graceMs: number;
  readonly maxOutputBytes: number;
  readonly onLine?: ((line: string) => void) | undefined;
  /** Given what is asked as soon as it is. */
  readonly onAsked?: (asked: Asked) => void;
}

/** What came of a program. */
export interface Executed {
  readonly end: Extract<RequestEnd, { how: 'said' }>;
  /** What came on standard output after the first mark, the second, and so on. */
  readonly output: readonly Buffer[];
  readonly errors: Buffer;
  readonly stop: Stop | undefined;
}

/** The session was cut off: whether the command ran is not known, and it may run still. */
export class CutOff extends Error {
  constructor(
    /** Of the session. */
    readonly mark: string,
    readonly said: string,
    readonly stop: Stop | undefined,
  ) {
    super('the SSH session was cut off');
  }
}

/** What would be said of a look that was ended. */
const ended: Executed['end'] = { how: 'said', words: ['exit', '143'] };

/** After it was asked to end, and had its grace and SIGKILL, a command may take so long to say so. */
const answerMs = 15_000;

/** sshd counts a session for a moment longer than it lasts, so that the next one may be refused; one that was kept may be gone unseen. */
const sessionTries = 6;
const triesPauseMs = 40;

/**
 * Asks a session to run a program.
 * @throws CutOff. UNAVAILABLE: no session could be had, and nothing was run; also the errors of {@link Connection.open}.
 */
export function execute(sessions: Sessions, host: string, request: ExecuteRequest): Started<Executed> {
  let taken: Session | undefined;
  const take = async (): Promise<Session> => {
    const taking = sessions.take();
    try {
      taken = await orCancelled(request.signal, taking);
      return taken;
    } catch (error) {
      taking.then(
        (session) => sessions.give(session),
        () => undefined,
      );
      throw error;
    }
  };
  const result = tryToExecute(take, host, request);
  const leave = async (): Promise<void> => {
    if (taken?.isUsable === true) sessions.give(taken);
    else await taken?.gone;
  };
  return { result, ended: result.then(leave, leave) };
}

async function tryToExecute(take: () => Promise<Session>, host: string, request: ExecuteRequest): Promise<Executed> {
  let none = new NoSession('');
  for (let tries = 0; tries < sessionTries; tries++) {
    if (tries > 0) await pause(triesPauseMs * 2 ** tries);
    try {
      return await executeOnce(await take(), request);
    } catch (error) {
      if (!(error instanceof NoSession)) throw error;
      none = error;
    }
  }
  const advice = none.isRefusal
    ? 'takes no further session, and nothing was run: its sshd must allow 10 on one connection (MaxSessions), as it does by default'
    : 'ends every session before it is usable, and nothing was run: its login shell must run commands';
  throw new VbsError('UNAVAILABLE', `The machine ${host} ${advice}.`, { context: { host, stderr: none.said } });
}

/** @throws NoSession: the session was gone already, and the request not heard. */
async function executeOnce(session: Session, request: ExecuteRequest): Promise<Executed> {
  const program = request.program(session.facts);
  const { signal, limitMs, waitMs, graceMs } = request;
  const parts: Buffer[][] = [];
  const errors = new Limited(request.maxOutputBytes);
  let bytes = 0;
  let stop: Stop | undefined;
  let asked: Asked | undefined;
  let cutting: NodeJS.Timeout | undefined;
  const halt = (reason: Stop): void => {
    if (stop !== undefined) return;
    stop = reason;
    asked?.control('c');
    // Nothing is heard by a session that looks; what it looks at ends by itself, or at its limit there.
    cutting = setTimeout(() => asked?.cut(), program.looks ? 0 : graceMs + answerMs);
  };
  const cancel = (): void => halt({ why: 'cancelled' });
  const lines = request.onLine === undefined ? undefined : new Lines(request.onLine, (cause) => halt({ why: 'onLine', cause }));
  const timer = (ms: number): NodeJS.Timeout => setTimeout(() => halt({ why: 'limit' }), Math.min(ms, longestTimerMs));
  let limit = timer(waitMs + limitMs + answerMs);
  try {
    asked = session.ask(program, {
      onOutput(chunk, part) {
        bytes += chunk.length;
        if (bytes > request.maxOutputBytes) {
          halt({ why: 'output' });
          return;
        }
        parts[part - 1] ??= [];
        parts[part - 1]?.push(chunk);
        if (part === 1) lines?.push(chunk);
      },
      onError(chunk) {
        if (!errors.push(chunk)) halt({ why: 'output' });
      },
      onBegun() {
        clearTimeout(limit);
        limit = timer(limitMs);
      },
    });
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) cancel();
    request.onAsked?.(asked);
    const end = await asked.end;
    if (end.how !== 'said') {
      if (stop !== undefined && program.looks) return { end: ended, output: [], errors: errors.bytes(), stop };
      if (end.how === 'unheard') throw new NoSession(end.said);
      throw new CutOff(session.mark, `${end.said}${errors.text()}`, stop);
    }
    await lines?.ended();
    const output = Array.from(parts, (list) => Buffer.concat(list ?? []));
    return { end, output, errors: errors.bytes(), stop };
  } finally {
    clearTimeout(limit);
    clearTimeout(cutting);
    signal.removeEventListener('abort', cancel);
  }
}

/** What a promise answers before anything has begun. @throws ABORTED: the signal came first. */
export async function orCancelled<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  let cancel: () => void = () => undefined;
  const cancelled = new Promise<never>((_resolve, reject) => {
    cancel = () => reject(new VbsError('ABORTED', 'The call was cancelled before its command began.'));
  });
  signal.addEventListener('abort', cancel, { once: true });
  if (signal.aborted) cancel();
  try {
    return await Promise.race([promise, cancelled]);
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

/** Bytes up to a number of them. */
class Limited {
  readonly #parts: Buffer[] = [];
  #length = 0;

  constructor(private readonly most: number) {}

  push(chunk: Buffer): boolean {
    this.#length += chunk.length;
    if (this.#length > this.most) return false;
    this.#parts.push(chunk);
    return true;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  text(): string {
    return this.bytes().toString('utf8');
  }
}

/** Tells lines as they come, the last one without a line break too. */
class Lines {
  readonly #stream = new PassThrough();
  readonly #closed: Promise<unknown>;

  constructor(onLine: (line: string) => void, failed: (cause: unknown) => void) {
    const reader = createInterface({ input: this.#stream, crlfDelay: Number.POSITIVE_INFINITY });
    this.#closed = once(reader, 'close');
    reader.on('line', (line) => {
      try {
        onLine(line);
      } catch (cause) {
        reader.close();
        failed(cause);
      }
    });
  }

  push(chunk: Buffer): void {
    this.#stream.write(chunk);
  }

  async ended(): Promise<void> {
    this.#stream.end();
    await this.#closed;
  }
}
