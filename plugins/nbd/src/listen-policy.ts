import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { type NbdConfig, nbdDefaults } from './config.js';
import { isLoopback } from './loopback.js';
import { isTlsRequired, type TlsSettings } from './server/server-tls.js';

/** Where a server listens, and how: what of its configuration decides who can reach it. */
export interface ListenSettings {
  readonly host: string;
  readonly port: number;
  /** An absolute path. */
  readonly socket?: string;
  readonly tls?: TlsSettings;
}

/** A key of the configuration that cannot be, and what to do about it. */
export interface ListenFault {
  readonly field: string;
  readonly message: string;
}

/** `sun_path` of unix(7) without its NUL, and without what the folder where the socket is made adds. */
export const maxSocketPathBytes = 96;

/** The configuration with its defaults, and with absolute paths. */
export function listenSettings(config: NbdConfig, baseDirectory: string): ListenSettings {
  const { host = nbdDefaults.host, port = nbdDefaults.port, socket, tls } = config;
  const absolute = (path: string): string => resolve(baseDirectory, path);
  return {
    host,
    port,
    ...(socket !== undefined && { socket: absolute(socket) }),
    ...(tls !== undefined && {
      tls: {
        certificate: absolute(tls.certificate),
        key: absolute(tls.key),
        ...(tls.clientAuthority !== undefined && { clientAuthority: absolute(tls.clientAuthority) }),
        ...(tls.mode !== undefined && { mode: tls.mode }),
      },
    }),
  };
}

/** Whether nobody gets in but by TLS and with a certificate that a configured authority signed: then others than this machine may try. */
export function hasTls({ tls }: Pick<ListenSettings, 'tls'>): boolean {
  return isTlsRequired(tls) && tls?.clientAuthority !== undefined;
}

/** What it listens on: this machine alone, or what others reach. */
export function reachOf({ host, socket }: Pick<ListenSettings, 'host' | 'socket'>): 'loopback' | 'network' {
  return socket !== undefined || isLoopback(host) ? 'loopback' : 'network';
}

/** Why a server may not listen so (safety E4); empty when it may. */
export function listenFaults(settings: ListenSettings): readonly ListenFault[] {
  const { host, socket } = settings;
  const given = `"host" is ${JSON.stringify(host)}`;
  if (socket !== undefined && Buffer.byteLength(socket) > maxSocketPathBytes) {
    const message = `"socket" is ${socket}, longer than the ${maxSocketPathBytes} bytes that a Unix socket's path may have here: name a shorter one`;
    return [{ field: 'socket', message }];
  }
  if (reachOf(settings) === 'loopback') return [];
  if (!hasTls(settings)) {
    const message = `${given}, and without TLS for everybody this NBD server listens on loopback addresses only: set it to 127.0.0.1, ::1 or localhost, or give "tls" with "clientAuthority" and the mode required`;
    return [{ field: 'host', message }];
  }
  if (isIP(host) !== 0 && /^[0:.]+$/.test(host)) {
    return [{ field: 'host', message: `${given}, which tells no client where to connect: name the address or host name that clients use` }];
  }
  return [];
}
