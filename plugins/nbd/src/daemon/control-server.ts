import { lstat, unlink } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { type Call, isVbsError, type Logger, toVbsError, VbsError } from '@vbs/core';
import {
  type ControlMethod,
  type ControlReply,
  type ControlRequest,
  type Greeting,
  longestRequest,
  parseLine,
} from './control-protocol.js';
import { onLines, sendLine } from './lines.js';

/** More than one store's processes ever need at once; each is gone after one request. */
const maxConnections = 1024;
/** For a client to send its request, and to take its reply. */
const idleLimitMs = 10_000;

const methods: readonly ControlMethod[] = ['create', 'ensure', 'delete', 'revoke', 'extend', 'list', 'faults', 'stop'];

export type ControlHandler = (call: Call, method: ControlMethod, request: unknown) => Promise<unknown>;

/** The control socket of a daemon: one request a connection, of this user alone. */
export class ControlServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #greeting: () => Greeting;
  readonly #handle: ControlHandler;
  readonly #log: Logger;

  private constructor(greeting: () => Greeting, handle: ControlHandler, log: Logger) {
    this.#greeting = greeting;
    this.#handle = handle;
    this.#log = log;
    this.#server = createServer((socket) => this.#serve(socket));
    this.#server.maxConnections = maxConnections;
    this.#server.on('error', (error) => log.error({ error }, 'the control socket failed'));
  }

  /**
   * Listens in place of a daemon that ended without taking its socket away; whoever calls this holds the daemon's lock, and has
   * set the process's umask so that nobody else may connect.
   * @throws FAILED_PRECONDITION: something else than a socket lies there. UNAVAILABLE.
   */
  static async listen(path: string, greeting: () => Greeting, handle: ControlHandler, log: Logger): Promise<ControlServer> {
    const control = new ControlServer(greeting, handle, log);
    await removeStale(path);
    await new Promise<void>((resolve, reject) => {
      const fail = (error: NodeJS.ErrnoException): void =>
        reject(new VbsError('UNAVAILABLE', `cannot listen on ${path}: ${error.message}`, { context: { path }, cause: error }));
      control.#server.once('error', fail);
      control.#server.listen(path, () => {
        control.#server.off('error', fail);
        resolve();
      });
    });
    return control;
  }

  /** Takes nobody new, and lets the calls that run be answered within the limit. */
  async close(limitMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const limit = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, limitMs);
    await closed;
    clearTimeout(limit);
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    const abort = new AbortController();
    let begun = false;
    socket.on('close', () => {
      this.#sockets.delete(socket);
      abort.abort(new VbsError('ABORTED', 'the caller has gone'));
    });
    socket.on('error', (error) => this.#log.warn({ error }, 'a control connection was lost'));
    socket.setTimeout(idleLimitMs, () => {
      if (!begun) socket.destroy();
    });
    onLines(socket, longestRequest, (line) => {
      if (begun) {
        if (parseLine(line)?.cancel === true) abort.abort(new VbsError('ABORTED', 'the caller cancelled the call'));
        return;
      }
      begun = true;
      // What came with it is heard first: a caller that gave up while this process was stopped gets nothing done.
      setImmediate(() => {
        if (!socket.destroyed) void this.#answer(socket, line, abort.signal);
      });
    });
    sendLine(socket, this.#greeting());
  }

  async #answer(socket: Socket, line: string, signal: AbortSignal): Promise<void> {
    let reply: ControlReply;
    try {
      const { method, request, ...facts } = parseRequest(line);
      const call: Call = { ...facts, signal, log: this.#log, progress: () => undefined };
      signal.throwIfAborted();
      reply = { result: (await this.#handle(call, method, request)) ?? null };
    } catch (error) {
      if (!isVbsError(error)) this.#log.error({ error }, 'a control request failed unexpectedly');
      reply = { error: toVbsError(error).toJSON() };
    }
    if (socket.destroyed) return;
    sendLine(socket, reply);
    socket.setTimeout(idleLimitMs, () => socket.destroy());
    socket.end();
  }
}

function parseRequest(line: string): ControlRequest {
  const { method, operationId, epoch, request } = parseLine(line) ?? {};
  const known = methods.find((name) => name === method);
  const isCall = typeof operationId === 'string' && Number.isSafeInteger(epoch) && typeof request === 'object' && request !== null;
  if (known !== undefined && isCall) return { method: known, operationId, epoch: Number(epoch), request };
  const message = `a control request has a method (${methods.join(', ')}), an operationId, an epoch and a request`;
  throw new VbsError('INVALID_ARGUMENT', message, { context: { field: known === undefined ? 'method' : 'request' } });
}

async function removeStale(path: string): Promise<void> {
  try {
    const facts = await lstat(path);
    if (!facts.isSocket()) {
      throw new VbsError('FAILED_PRECONDITION', `${path} is no socket: move it away, the control socket is to lie there`, {
        context: { path },
      });
    }
    await unlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
