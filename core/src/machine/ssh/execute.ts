import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { VbsError } from '../../errors.js';
import type { Started } from '../slots.js';
import { longestTimerMs } from '../wait-until.js';
import type { Connection, RemoteFacts } from './connection.js';
import type { RemoteProgram } from './remote-program.js';
import { type Session, type SessionEnd, startSession } from './session.js';

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
  /** Given the session as soon as there is one. */
  readonly onSession?: (session: Session) => void;
}

/** What came of a program. */
export interface Executed {
  readonly end: Extract<SessionEnd, { how: 'said' }>;
  /** What came on standard output after the first mark, the second, and so on. */
  readonly output: readonly Buffer[];
  readonly errors: Buffer;
  readonly stop: Stop | undefined;
}

/** The session was cut off: whether the command ran is not known, and it may run still. */
export class CutOff extends Error {
  constructor(
    readonly mark: string,
    readonly said: string,
    readonly stop: Stop | undefined,
  ) {
    super('the SSH session was cut off');
  }
}

/** After it was asked to end, and had its grace and SIGKILL, a command may take so long to say so. */
const answerMs = 15_000;

/** sshd counts a session for a moment longer than it lasts, so that the next one may be refused. */
const refusalTries = 6;
const refusalPauseMs = 40;

/**
 * Runs a program in a session of its own.
 * @throws CutOff. UNAVAILABLE: no session could be had, and nothing was run; also the errors of {@link Connection.open}.
 */
export function execute(connection: Connection, request: ExecuteRequest): Started<Executed> {
  const sessions: Session[] = [];
  const result = tryToExecute(connection, request, sessions);
  const ended = result.then(
    () => sessions.at(-1)?.gone,
    () => sessions.at(-1)?.gone,
  );
  return { result, ended };
}

async function tryToExecute(connection: Connection, request: ExecuteRequest, sessions: Session[]): Promise<Executed> {
  let said = '';
  for (let tries = 0; tries < refusalTries; tries++) {
    if (tries > 0) await pause(refusalPauseMs * 2 ** tries);
    const facts = await orCancelled(request.signal, connection.open());
    const program = request.program(facts);
    const executed = await executeOnce(connection, program, request, sessions);
    if (!('refused' in executed)) return executed;
    said = executed.refused;
  }
  throw new VbsError(
    'UNAVAILABLE',
    `The machine ${connection.host} takes no further session, and nothing was run: its sshd must allow 10 on one connection (MaxSessions), as it does by default.`,
    { context: { host: connection.host, stderr: said } },
  );
}

async function executeOnce(
  connection: Connection,
  program: RemoteProgram,
  request: ExecuteRequest,
  sessions: Session[],
): Promise<Executed | { readonly refused: string }> {
  const { signal, limitMs, waitMs, graceMs } = request;
  const parts: Buffer[][] = [];
  const errors = new Limited(request.maxOutputBytes);
  let bytes = 0;
  let stop: Stop | undefined;
  let session: Session | undefined;
  let cutting: NodeJS.Timeout | undefined;
  const halt = (reason: Stop): void => {
    if (stop !== undefined) return;
    stop = reason;
    session?.control('c');
    cutting = setTimeout(() => session?.cut(), graceMs + answerMs);
  };
  const cancel = (): void => halt({ why: 'cancelled' });
  const lines = request.onLine === undefined ? undefined : new Lines(request.onLine, (cause) => halt({ why: 'onLine', cause }));
  const timer = (ms: number): NodeJS.Timeout => setTimeout(() => halt({ why: 'limit' }), Math.min(ms, longestTimerMs));
  let limit = timer(waitMs + limitMs + answerMs);
  try {
    session = await startSession(connection, program, {
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
    sessions.push(session);
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) cancel();
    request.onSession?.(session);
    const end = await session.end;
    if (end.how === 'refused') return { refused: end.said };
    if (end.how !== 'said') throw new CutOff(program.mark, `${end.said}${errors.text()}`, stop);
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
