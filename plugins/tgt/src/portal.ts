import { BlockList, isIP } from 'node:net';

/** An address that tgtd listens on, or that initiators connect to. An IPv6 host is without its brackets. */
export interface Portal {
  readonly host: string;
  readonly port: number;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** `host:port` or `[host]:port`; undefined for anything else. */
export function parsePortal(text: string): Portal | undefined {
  const { bracketed, plain, digits } = /^(?:\[(?<bracketed>[^\]]+)\]|(?<plain>[^:[\]]+)):(?<digits>\d{1,5})$/.exec(text)?.groups ?? {};
  const host = bracketed ?? plain;
  const port = Number(digits);
  return host === undefined || !(port >= 1 && port <= 65_535) ? undefined : { host, port };
}

/** Whether a host means this machine alone. */
export function isLoopback(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host.toLowerCase() === 'localhost';
  return loopback.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

/** Whether one who connects to `wanted` may reach what listens on `open`. A name, or an address behind a translation, is told by its port alone. */
export function isServedBy(wanted: Portal, open: Portal): boolean {
  if (wanted.port !== open.port) return false;
  if (isIP(wanted.host) === 0 || open.host === '0.0.0.0' || open.host === '::') return true;
  return sameAddress(wanted.host, open.host);
}

function sameAddress(one: string, other: string): boolean {
  const family = isIP(one);
  if (family === 0 || family !== isIP(other)) return false;
  const list = new BlockList();
  const name = family === 6 ? 'ipv6' : 'ipv4';
  list.addAddress(one, name);
  return list.check(other, name);
}
