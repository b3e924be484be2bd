import { VbsError } from '@vbs/core';

/** Where a server listens: `uri` (its path is ignored where no export is asked for), or `host` and `port`. */
export interface NbdServerAddress {
  /** `nbd://127.0.0.1:10809/exp-…`, as in the NBD URI specification. */
  readonly uri?: string;
  readonly host?: string;
  /** 10809 unless told. */
  readonly port?: number;
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

export interface NbdTarget {
  readonly host: string;
  readonly port: number;
  readonly exportName: string;
}

const defaultPort = 10809;

function invalid(field: string, message: string, cause?: unknown): VbsError {
  return new VbsError('INVALID_ARGUMENT', message, { context: { field }, cause });
}

/** @throws INVALID_ARGUMENT: no `nbd:` URI with a host. */
export function parseNbdUri(uri: string): NbdTarget {
  let url: URL;
  let exportName: string;
  try {
    url = new URL(uri);
    exportName = decodeURIComponent(url.pathname.slice(1));
  } catch (error) {
    throw invalid('uri', `${JSON.stringify(uri)} is not a URI`, error);
  }
  if (url.protocol !== 'nbd:' || url.hostname === '')
    throw invalid('uri', `${JSON.stringify(uri)} is not of the form nbd://host:port/export`);
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? defaultPort : Number(url.port),
    exportName,
  };
}

/** Host, port and export name out of either form. @throws INVALID_ARGUMENT. */
export function targetOf(options: NbdConnectOptions): NbdTarget {
  const base =
    options.uri === undefined ? { host: options.host, port: options.port ?? defaultPort, exportName: '' } : parseNbdUri(options.uri);
  if (base.host === undefined) throw invalid('host', 'give a uri, or host, port and exportName');
  return { host: base.host, port: base.port, exportName: options.exportName ?? base.exportName };
}
