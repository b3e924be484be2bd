import { readFile } from 'node:fs/promises';
import { TLSSocket } from 'node:tls';
import { VbsError } from '@vbs/core';
import { Agent, buildConnector } from 'undici';

const connectLimitMs = 10_000;
const mostConnections = 4;
const largestAnswer = 16 * 1024 * 1024;

/** Who the server may be: by an authority, or by its very certificate. */
export interface ServerTrust {
  /** A file of certificates in PEM. */
  readonly ca?: string;
  /** SHA-256, in hexadecimal with colons. */
  readonly fingerprint?: string;
}

/**
 * Connections to a server that is verified before a byte is sent.
 * @throws CONFIG_INVALID: the file of the authority cannot be read.
 */
export async function makeAgent({ ca, fingerprint }: ServerTrust, limitMs: number): Promise<Agent> {
  const timeout = Math.min(connectLimitMs, limitMs);
  const authority = ca === undefined ? {} : { ca: await readAuthority(ca) };
  const limits = { connections: mostConnections, maxResponseSize: largestAnswer, headersTimeout: 60_000, bodyTimeout: 60_000 };
  if (fingerprint === undefined) return new Agent({ ...limits, connect: { ...authority, timeout, rejectUnauthorized: true } });
  return new Agent({ ...limits, connect: pinned(fingerprint.toUpperCase(), timeout) });
}

/** Takes one certificate alone, whoever signed it; no session is resumed, so that it is shown each time. */
function pinned(fingerprint: string, timeout: number): buildConnector.connector {
  const connect = buildConnector({ timeout, rejectUnauthorized: false, maxCachedSessions: 0 });
  return (options, callback) => {
    connect(options, (error, socket) => {
      if (error !== null) return callback(error, null);
      const shown = socket instanceof TLSSocket ? socket.getPeerX509Certificate()?.fingerprint256 : undefined;
      if (shown === fingerprint) return callback(null, socket);
      socket.destroy();
      const told = `the fingerprint of its certificate is ${shown ?? 'none'}, not ${fingerprint}`;
      callback(Object.assign(new Error(told), { code: 'ERR_TLS_CERT_FINGERPRINT' }), null);
    });
  };
}

async function readAuthority(path: string): Promise<string> {
  const fault = (message: string, cause?: unknown): VbsError =>
    new VbsError('CONFIG_INVALID', message, { context: { faults: [{ path: '/api/ca', message }] }, cause });
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw fault(`The file of api.ca, ${path}, cannot be read: ${error instanceof Error ? error.message : String(error)}`, error);
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw fault(`The file of api.ca, ${path}, has no certificate in PEM.`);
  return text;
}
