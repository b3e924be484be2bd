import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { anySignal, type Call, errorTable, fromSerialized, isVbsError, type SerializedError, VbsError } from '@vbs/core';
import { within } from '../waiting.js';
import { type ControlMethod, type Greeting, type Line, longestReply, parseLine } from './control-protocol.js';
import { onLines, sendLine } from './lines.js';

/** From the connection to the greeting: a daemon that takes longer hangs, and has been asked for nothing yet. */
const greetingLimitMs = 3_000;
/** For the answer to a call that was cancelled; the layers above give it up a little later. */
const cancelGraceMs = 3_000;
/** No call of an exporter takes longer; its own signal comes before. */
const answerLimitMs = 180_000;

/** One connection to a daemon's control socket, greeted, and good for one request. */
export class ControlConnection {
  readonly greeting: Greeting;
  readonly #path: string;
  readonly #socket: Socket;
  readonly #reply: Promise<Line | null>;

  private constructor(path: string, socket: Socket, greeting: Greeting, reply: Promise<Line | null>) {
    this.#path = path;
    this.#socket = socket;
    this.greeting = greeting;
    this.#reply = reply;
  }

  /**
   * Connects and hears the greeting; null when nobody listens there.
   * @throws UNAVAILABLE: who listens does not greet in time, or is no NBD server of VBS. PERMISSION_DENIED: it is another user's.
   */
  static async open(path: string, signal: AbortSignal): Promise<ControlConnection | null> {
    const socket = connect(path);
    const lines: ((line: Line | null) => void)[] = [];
    const next = (): Promise<Line | null> => new Promise((resolve) => lines.push(resolve));
    const [first, second] = [next(), next()];
    let failure: NodeJS.ErrnoException | undefined;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      failure ??= error;
    });
    socket.on('close', () => {
      for (const give of lines.splice(0)) give(null);
    });
    onLines(socket, longestReply, (line) => lines.shift()?.(parseLine(line) ?? {}));
    const limit = anySignal(signal, AbortSignal.timeout(greetingLimitMs));
    const giveUp = (): void => void socket.destroy();
    limit.addEventListener('abort', giveUp, { once: true });
    if (limit.aborted) giveUp();
    const greeting = await first;
    limit.removeEventListener('abort', giveUp);

    if (greeting !== null && isGreeting(greeting)) return new ControlConnection(path, socket, greeting, second);
    socket.destroy();
    if (failure?.code === 'ENOENT' || failure?.code === 'ECONNREFUSED') return null;
    if (failure?.code === 'EACCES') {
      throw new VbsError('PERMISSION_DENIED', `${path} may not be opened: the NBD server there runs as another user`, { cause: failure });
    }
    if (greeting !== null) throw unreachable(`what listens on ${path} is no NBD server of VBS: end it`, path);
    const why = limit.aborted ? `did not greet within ${greetingLimitMs} ms: see whether it hangs` : 'ended the connection at once';
    throw unreachable(`the NBD server on ${path} ${failure?.message ?? why}`, path, failure);
  }

  /**
   * Asks the one thing that this connection is for.
   * @throws what the daemon refused with. UNAVAILABLE: it ended before it answered. DEADLINE_EXCEEDED: the call was cancelled, and the
   * daemon did not answer within a grace.
   */
  async ask(call: Pick<Call, 'signal' | 'operationId' | 'epoch'>, method: ControlMethod, request: object): Promise<unknown> {
    const { operationId, epoch, signal } = call;
    const cancelled = new AbortController();
    const cancel = (): void => {
      sendLine(this.#socket, { cancel: true });
      // When it stays silent, the wait below ends by the end of the connection.
      void pause(cancelGraceMs, undefined, { signal: cancelled.signal, ref: false }).then(
        () => this.#socket.destroy(),
        () => undefined,
      );
    };
    sendLine(this.#socket, { method, operationId, epoch, request });
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) cancel();
    try {
      if (!(await within(this.#reply, answerLimitMs))) throw this.#silent('did not answer', call);
      const reply = await this.#reply;
      if (reply !== null && 'result' in reply) return reply.result;
      if (reply !== null && isError(reply.error)) throw fromSerialized(reply.error);
      throw this.#silent('ended before it answered', call);
    } finally {
      signal.removeEventListener('abort', cancel);
      cancelled.abort();
      this.close();
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #silent(what: string, { signal }: Pick<Call, 'signal'>): VbsError {
    if (!signal.aborted)
      return unreachable(`the NBD server on ${this.#path} ${what}; whether the call took effect is not known`, this.#path);
    if (isVbsError(signal.reason)) return signal.reason;
    const message = `the call was cancelled, and the NBD server on ${this.#path} did not say whether it took effect`;
    return new VbsError('DEADLINE_EXCEEDED', message, { cause: signal.reason });
  }
}

const noServer = 'no-nbd-server';

/** Nobody who could be asked. */
export function unreachable(message: string, control: string, cause?: unknown): VbsError {
  return new VbsError('UNAVAILABLE', message, { context: { reason: noServer, control }, cause });
}

/** Whether an error is one of {@link unreachable}. */
export function isUnreachable(error: unknown): boolean {
  const { reason } = isVbsError(error) ? error.context : {};
  return reason === noServer;
}

function isGreeting(line: object): line is Greeting {
  return 'vbsNbdServer' in line && typeof line.vbsNbdServer === 'number' && 'pid' in line && typeof line.pid === 'number';
}

export function isError(value: unknown): value is SerializedError {
  if (typeof value !== 'object' || value === null || !('code' in value) || !('message' in value) || !('context' in value)) return false;
  return typeof value.code === 'string' && Object.hasOwn(errorTable, value.code) && typeof value.message === 'string';
}
