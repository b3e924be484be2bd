import { createServer, isIP, type ListenOptions, type Server } from 'node:net';
import { type Logger, VbsError } from '@vbs/core';
import type { ExportTable } from './served-export.js';
import { isTlsRequired, ServerTls, type TlsSettings } from './server-tls.js';
import { Session, type SessionLimits } from './session.js';
import { UnixSocket } from './unix-socket.js';

export interface ServerSettings extends SessionLimits {
  readonly host: string;
  readonly port: number;
  /** The absolute path of a Unix socket, to listen on in place of host and port. */
  readonly socket?: string;
  readonly tls?: TlsSettings;
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
  readonly #settings: ServerSettings;
  readonly #unixSocket: UnixSocket | null;

  private constructor(settings: ServerSettings, tls: ServerTls | null, unixSocket: UnixSocket | null, exports: ExportTable, log: Logger) {
    this.#settings = settings;
    this.#unixSocket = unixSocket;
    // Half open: a client may end its side after NBD_CMD_DISC and still wait for what it asked before.
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
      this.#accept(new Session(socket, exports, settings, tls, log)),
    );
    this.#server.maxConnections = settings.maxConnections;
    this.#server.on('drop', (facts) => log.warn({ ...facts }, 'a connection was refused: "maxConnections" are open'));
    this.#server.on('error', (error) => log.error({ error }, 'the listening socket failed'));
  }

  /**
   * @throws RESOURCE_EXHAUSTED: the port or the socket is in use (`context.field`). PERMISSION_DENIED, UNAVAILABLE.
   * @throws CONFIG_INVALID: a file of `tls` is no use, or others than its owner may read the key.
   */
  static async listen(settings: ServerSettings, exports: ExportTable, log: Logger): Promise<NbdServer> {
    const tls = settings.tls === undefined ? null : await ServerTls.read(settings.tls);
    const unixSocket = settings.socket === undefined ? null : await UnixSocket.claim(settings.socket);
    const nbd = new NbdServer(settings, tls, unixSocket, exports, log);
    try {
      await nbd.#listen(unixSocket === null ? { host: settings.host, port: settings.port } : { path: unixSocket.unpublished });
      await unixSocket?.publish();
    } catch (error) {
      nbd.#server.close();
      await unixSocket?.release();
      throw error;
    }
    return nbd;
  }

  #listen(where: ListenOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => reject(listenError(this.#settings, error));
      this.#server.once('error', fail);
      this.#server.listen(where, () => {
        this.#server.off('error', fail);
        resolve();
      });
    });
  }

  get isListening(): boolean {
    return this.#server.listening;
  }

  /** `nbd://127.0.0.1:10809` with the address and port that it has in truth; `nbds` where TLS is a must. Not for a Unix socket. */
  get origin(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') {
      throw new VbsError('UNAVAILABLE', 'the NBD server does not listen, or not on a port');
    }
    const { host } = this.#settings;
    // A certificate is made out to a name: who configures one wants clients to use it.
    const isName = this.#scheme === 'nbds' && isIP(host) === 0;
    const at = isName ? host : address.family === 'IPv6' ? `[${address.address}]` : address.address;
    return `${this.#scheme}://${at}:${address.port}`;
  }

  /** Where clients find an export: `nbd://127.0.0.1:10809/exp-…`, `nbd+unix:///exp-…?socket=PATH`, with `nbds` where TLS is a must. */
  uriOf(exportName: string): string {
    const name = encodeURIComponent(exportName);
    if (this.#unixSocket === null) return `${this.origin}/${name}`;
    return `${this.#scheme}+unix:///${name}?socket=${encodeURIComponent(this.#unixSocket.path).replaceAll('%2F', '/')}`;
  }

  get #scheme(): 'nbd' | 'nbds' {
    return isTlsRequired(this.#settings.tls) ? 'nbds' : 'nbd';
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
      await this.#unixSocket?.release();
    }
  }

  #accept(session: Session): void {
    this.#sessions.add(session);
    void session.done.then(() => this.#sessions.delete(session));
  }
}
