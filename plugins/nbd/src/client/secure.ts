import { isIP, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { VbsError } from '@vbs/core';
import { readPemFiles } from '../tls/pem-files.js';
import type { NbdClientTls, NbdEndpoint } from './address.js';

const fields = { authority: 'tls.authority', certificate: 'tls.certificate', key: 'tls.key' } as const;

/**
 * TLS over a connection whose server acknowledged STARTTLS; `stopped` rejects when it is to be given up.
 * @throws UNAUTHENTICATED: the server's certificate is not one that the authority signed for its name, or the handshake failed.
 * @throws INVALID_ARGUMENT: a file of `tls` is no use (`context.field`).
 */
export async function secured(socket: Socket, tls: NbdClientTls, endpoint: NbdEndpoint): Promise<TLSSocket> {
  const material = await readPemFiles(tls, { code: 'INVALID_ARGUMENT', field: (name) => fields[name] });
  const name = tls.serverName ?? ('socket' in endpoint ? 'localhost' : endpoint.host);
  return new Promise((resolve, reject) => {
    // An address is compared with the certificate, but is no server name that the protocol could carry.
    const secure = connect({ ...material, socket, host: name, ...(isIP(name) === 0 && { servername: name }) });
    const fail = (error: Error): void => {
      secure.destroy();
      const message = `no TLS with the NBD server as ${name}: ${error.message}`;
      reject(new VbsError('UNAUTHENTICATED', message, { context: { serverName: name }, cause: error }));
    };
    secure.once('error', fail);
    socket.once('close', () => fail(new Error('the server ended the connection')));
    secure.once('secureConnect', () => {
      secure.off('error', fail);
      resolve(secure);
    });
  });
}
