import { createServer, type Server } from 'node:net';
import { type Logger, VbsError } from '@vbs/core';
import type { ExportTable } from './served-export.js';
import { Session, type SessionLimits } from './session.js';

export interface ServerSettings extends SessionLimits {
  readonly host: string;
  readonly port: number;
  readonly maxConnections: number;
}

function listenError({ host, port }: ServerSettings, error: NodeJS.ErrnoException): VbsError {
  const context = { host, port, errno: error.code };
  if (error.code === 'EADDRINUSE') {
    return new VbsError(
      'RESOURCE_EXHAUSTED',
      `port ${port} of ${host} is in use: end what listens there, or set "port" to another (0: any free one)`,
      {
        context: { ...context, field: 'port' },
        cause: error,
      },
    );
  }
  if (error.code === 'EACCES') {
    return new VbsError('PERMISSION_DENIED', `this process may not listen on port ${port} of ${host}: set "port" above 1023`, {
      context: { ...context, field: 'port' },
      cause: error,
    });
  }
  return new VbsError('UNAVAILABLE', `cannot listen on ${host}, port ${port} (${error.code ?? error.message}): check "host" and "port"`, {
    context: { ...context, field: 'host' },
    cause: error,
  });
}

/** One listening socket and its connections. */
export class NbdServer {
  readonly #server: Server;
  readonly #sessions = new Set<Session>();

  private constructor(settings: ServerSettings, exports: ExportTable, log: Logger) {
    // Half open: a client may end its side after NBD_CMD_DISC and still wait for what it asked before.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(new Session(socket, exports, settings, log)));
    this.#server.maxConnections = settings.maxConnections;
    this.#server.on('drop', (facts) => log.warn({ ...facts }, 'a connection was refused: "maxConnections" are open'));
    this.#server.on('error', (error) => log.error({ error }, 'the listening socket failed'));
  }

  /** @throws RESOURCE_EXHAUSTED: the port is in use (`context.field`). PERMISSION_DENIED, UNAVAILABLE. */
  static async listen(settings: ServerSettings, exports: ExportTable, log: Logger): Promise<NbdServer> {
    const nbd = new NbdServer(settings, exports, log);
    await new Promise<void>((resolve, reject) => {
      const fail = (error: Error): void => reject(listenError(settings, error));
      nbd.#server.once('error', fail);
      nbd.#server.listen({ host: settings.host, port: settings.port }, () => {
        nbd.#server.off('error', fail);
        resolve();
      });
    });
    return nbd;
  }

  get isListening(): boolean {
    return this.#server.listening;
  }

  /** `nbd://127.0.0.1:10809`, with the address and port that it has in truth. */
  get origin(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new VbsError('UNAVAILABLE', 'the NBD server does not listen any more');
    return `nbd://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
  }

  /** Accepts nobody any more and lets each connection end what it has in flight; at the limit the rest is dropped. */
  async close(timeLimitMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const limit = setTimeout(() => {
      for (const session of this.#sessions) session.destroy('the server closed before the client took its replies');
    }, timeLimitMs);
    try {
      await Promise.all([...this.#sessions].map((session) => session.finish()));
      await closed;
    } finally {
      clearTimeout(limit);
    }
  }

  #accept(session: Session): void {
    this.#sessions.add(session);
    void session.done.then(() => this.#sessions.delete(session));
  }
}
