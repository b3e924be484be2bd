import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { invalid, Refusal } from '../problems/refusal.js';

const loopback = ['localhost', '127.0.0.1', '[::1]'];
const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** Says whether a request names one of our hosts, and comes from none of another's pages. */
export type HostCheck = (request: FastifyRequest) => void;

/** A host of a `Host` header without its port: lower case, IPv6 in brackets. */
function hostOf(header: string): string {
  return /^(\[[0-9a-f:.]+\]|[^:/?#@\s]+)(?::[0-9]{1,5})?$/i.exec(header)?.[1]?.toLowerCase() ?? '';
}

const bracketed = (host: string): string => (isIP(host) === 6 ? `[${host}]` : host.toLowerCase());
const isAddress = (host: string): boolean => isIP(host.replace(/^\[|\]$/g, '')) !== 0;

function refuse(field: string, message: string): Refusal {
  return new Refusal('PERMISSION_DENIED', message, { status: 403, field });
}

/**
 * A page of somebody else that runs in a browser on this machine reaches loopback too: by a name of its own that it lets mean
 * 127.0.0.1 (DNS rebinding; `Host` then has that name), or by plain requests (`Origin` then has its own). Both are refused.
 * Browsers cannot reach the Unix socket, where any host is taken.
 *
 * `isOperator` says of a connection that it came by the Unix socket; `listenHost` is where the server listens; on every address of the machine, any address is one of ours, since rebinding needs a name.
 */
export function createHostCheck(
  listenHost: string | undefined,
  hosts: readonly string[],
  isOperator: (socket: object) => boolean,
): HostCheck {
  const ours = new Set([...loopback, ...(listenHost === undefined ? [] : [bracketed(listenHost)]), ...hosts.map(bracketed)]);
  const anyAddress = listenHost !== undefined && wildcards.has(listenHost);
  return ({ headers, method, raw }) => {
    if (isOperator(raw.socket)) return;
    const { host, origin } = headers;
    if (host === undefined || host === '') throw invalid('Host', 'Host is missing');
    const name = hostOf(host);
    if (!ours.has(name) && !(anyAddress && isAddress(name)))
      throw refuse('Host', 'this server does not have the name in Host; start it with that name among its hosts if it should');
    // An address in the request's line stands in place of Host (RFC 9112, 3.2.2).
    const [, authority] = /^[a-z]+:\/\/([^/?#]*)/i.exec(raw.url ?? '') ?? [];
    if (authority !== undefined && authority.toLowerCase() !== host.toLowerCase())
      throw refuse('Host', 'the address in the line of the request is not that of Host');
    if (origin !== undefined && !isSameHost(origin, host)) throw refuse('Origin', 'pages of other sites may not use this server');
    if (headers['sec-fetch-site'] === 'cross-site' && method !== 'GET' && method !== 'HEAD')
      throw refuse('Sec-Fetch-Site', 'pages of other sites may not use this server');
  };
}

function isSameHost(origin: string, host: string): boolean {
  const match = /^https?:\/\/(.+)$/i.exec(origin);
  return match?.[1]?.toLowerCase() === host.toLowerCase();
}
