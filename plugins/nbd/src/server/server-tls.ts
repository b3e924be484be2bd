import type { Socket } from 'node:net';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { createServer } from 'node:tls';
import { ConnectionEnded } from '../protocol/byte-reader.js';
import { readPemFiles } from '../tls/pem-files.js';

/** How a server uses TLS; the paths are absolute. */
export interface TlsSettings {
  readonly certificate: string;
  readonly key: string;
  /** Clients must show a certificate that one of these signed. */
  readonly clientAuthority?: string | undefined;
  /** `required`, unless told: nothing but NBD_OPT_STARTTLS and NBD_OPT_ABORT is answered before it. */
  readonly mode?: 'required' | 'allowed';
}

export function isTlsRequired(settings: TlsSettings | undefined): boolean {
  return settings !== undefined && settings.mode !== 'allowed';
}

const fields = { certificate: 'tls.certificate', key: 'tls.key', authority: 'tls.clientAuthority' } as const;

/** The server's side of TLS, ready for connections: the files were read once. */
export class ServerTls {
  readonly required: boolean;
  readonly #options: SecureContextOptions;
  readonly #mutual: boolean;

  private constructor(options: SecureContextOptions, settings: TlsSettings) {
    this.#options = options;
    this.#mutual = settings.clientAuthority !== undefined;
    this.required = isTlsRequired(settings);
  }

  /** @throws CONFIG_INVALID: a file cannot be used, or the key is readable by others (`context.field`). */
  static async read(settings: TlsSettings): Promise<ServerTls> {
    const { certificate, key, clientAuthority: authority } = settings;
    return new ServerTls(
      await readPemFiles({ certificate, key, authority }, { code: 'CONFIG_INVALID', field: (name) => fields[name] }),
      settings,
    );
  }

  /**
   * Makes an accepted connection a secure one, the client's certificate verified where one is wanted.
   * @throws ConnectionEnded: the handshake failed; the connection has ended.
   */
  secure(socket: Socket, timeLimitMs: number): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      // A server that never listens: it is the one public way to have Node.js verify a client on a socket that is there already.
      const server = createServer({
        ...this.#options,
        requestCert: this.#mutual,
        rejectUnauthorized: this.#mutual,
        handshakeTimeout: timeLimitMs,
      });
      const fail = (error: Error): void => {
        socket.destroy();
        reject(new ConnectionEnded(`the TLS handshake failed: ${error.message}`, { cause: error }));
      };
      server.once('secureConnection', resolve);
      server.once('tlsClientError', fail);
      socket.once('close', () => fail(new Error('the connection was closed')));
      server.emit('connection', socket);
    });
  }
}
