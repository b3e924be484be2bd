import { VbsError } from '@vbs/core';

/** Files in PEM by which a client trusts a server, and shows who it is; read at each connection. */
export interface NbdClientTls {
  /** Certificates of those who may sign the server's. */
  readonly authority: string;
  /** The client's own certificate, for a server that wants one; with `key`. */
  readonly certificate?: string;
  /** Readable by its owner only. */
  readonly key?: string;
  /** The name that the server's certificate must be made out to; the host, or `localhost` for a Unix socket, unless told. */
  readonly serverName?: string;
}

/** Where a server listens: `uri` (its path is ignored where no export is asked for), or `host` and `port`, or `socket`. */
export interface NbdServerAddress {
  /** `nbd://127.0.0.1:10809/exp-…`, `nbds://…`, `nbd+unix:///exp-…?socket=PATH`, `nbds+unix:…`, as in the NBD URI specification. */
  readonly uri?: string;
  readonly host?: string;
  /** 10809 unless told. */
  readonly port?: number;
  /** The path of a Unix socket, in place of host and port. */
  readonly socket?: string;
  /** What `nbds:` needs. Where no URI is given, TLS is used when this is. */
  readonly tls?: NbdClientTls;
  readonly signal?: AbortSignal;
  /** For connecting and negotiating, in milliseconds; 10,000 unless told. */
  readonly timeLimitMs?: number;
}

export interface NbdConnectOptions extends NbdServerAddress {
  /** Needed when `uri` is not given. */
  readonly exportName?: string;
  /** A connection that owes an answer and does not move for so many milliseconds is given up; 60,000 unless told. */
  readonly stallTimeLimitMs?: number;
}

/** A TCP address or a Unix socket. */
export type NbdEndpoint = { readonly host: string; readonly port: number } | { readonly socket: string };

/** What an NBD URI says. */
export type NbdTarget = NbdEndpoint & {
  readonly exportName: string;
  /** Only over TLS. */
  readonly secure: boolean;
};

const defaultPort = 10809;
const schemes: Readonly<Record<string, { readonly unix: boolean; readonly secure: boolean }>> = {
  'nbd:': { unix: false, secure: false },
  'nbds:': { unix: false, secure: true },
  'nbd+unix:': { unix: true, secure: false },
  'nbds+unix:': { unix: true, secure: true },
};
const forms = 'nbd://host:port/export, nbds://host:port/export or nbd+unix:///export?socket=/path';

function invalid(field: string, message: string, cause?: unknown): VbsError {
  return new VbsError('INVALID_ARGUMENT', message, { context: { field }, cause });
}

/** @throws INVALID_ARGUMENT: no NBD URI with a host, or with a Unix socket. */
export function parseNbdUri(uri: string): NbdTarget {
  let url: URL;
  let exportName: string;
  try {
    url = new URL(uri);
    exportName = decodeURIComponent(url.pathname.slice(1));
  } catch (error) {
    throw invalid('uri', `${JSON.stringify(uri)} is not a URI of the form ${forms}`, error);
  }
  const socket = url.searchParams.get('socket') ?? '';
  const scheme = schemes[url.protocol];
  if (scheme === undefined || (scheme.unix ? socket === '' || url.hostname !== '' : socket !== '' || url.hostname === '')) {
    throw invalid('uri', `${JSON.stringify(uri)} is not of the form ${forms}`);
  }
  const { secure } = scheme;
  if (scheme.unix) return { socket, exportName, secure };
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? defaultPort : Number(url.port),
    exportName,
    secure,
  };
}

/** The URI that {@link parseNbdUri} read, in its one spelling: lower-case host, port always named. */
export function formatNbdUri(target: NbdTarget): string {
  const scheme = target.secure ? 'nbds' : 'nbd';
  const name = encodeURIComponent(target.exportName);
  if ('socket' in target) return `${scheme}+unix:///${name}?socket=${encodeURIComponent(target.socket).replaceAll('%2F', '/')}`;
  const authority = target.host.includes(':') ? `[${target.host}]` : target.host.toLowerCase();
  return `${scheme}://${authority}:${target.port}/${name}`;
}

/** `127.0.0.1:10809`, or the path of the socket: for messages. */
export function endpointText(endpoint: NbdEndpoint): string {
  return 'socket' in endpoint ? endpoint.socket : `${endpoint.host}:${endpoint.port}`;
}

/** Address, export name and security out of any form. @throws INVALID_ARGUMENT. */
export function targetOf(options: NbdConnectOptions): NbdTarget {
  const { uri, host, socket, port = defaultPort, exportName, tls } = options;
  const secure = tls !== undefined;
  let base: NbdTarget;
  if (uri !== undefined) base = parseNbdUri(uri);
  else if (socket !== undefined) base = { socket, exportName: '', secure };
  else if (host !== undefined) base = { host, port, exportName: '', secure };
  else throw invalid('host', 'give a uri, or host, port and exportName, or socket and exportName');
  if (base.secure && tls === undefined) {
    throw invalid('tls', `${uri} is reached over TLS: give "tls" with the authority that signed the server's certificate`);
  }
  return { ...base, exportName: exportName ?? base.exportName };
}
