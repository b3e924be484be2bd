import { existsSync, readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { join } from 'node:path';

/** Who comes, to which target. */
export interface Comer {
  readonly iqn: string;
  readonly initiator: string;
  readonly address: string;
}

/**
 * Whether ietd lets somebody in, by the files as they are now: the first line of `initiators.allow` for the target decides, no line is a
 * no, and no file a yes. With an `initiators.deny` everybody comes in whom that does not name.
 */
export function isAllowed(root: string, comer: Comer): boolean {
  const allow = decision(root, 'initiators.allow', comer);
  const deny = decision(root, 'initiators.deny', comer);
  if (deny !== 'no file') return deny !== 'named' || allow === 'named';
  return allow === 'no file' || allow === 'named';
}

function decision(root: string, file: string, comer: Comer): 'no file' | 'named' | 'not named' {
  const path = ['etc/iet', 'etc'].map((folder) => join(root, folder, file)).find((one) => existsSync(one));
  if (path === undefined) return 'no file';
  // A last line without a newline is ignored.
  for (const line of readFileSync(path, 'utf8').split('\n').slice(0, -1)) {
    const { target, list } = /^\s*(?<target>\S+)\s(?<list>.*)$/.exec(line)?.groups ?? {};
    if (target === undefined || list === undefined || target.startsWith('#')) continue;
    if (target !== 'ALL' && target.toLowerCase() !== comer.iqn.toLowerCase()) continue;
    return isNamed(list, comer) ? 'named' : 'not named';
  }
  return 'not named';
}

function isNamed(list: string, { initiator, address }: Comer): boolean {
  for (const entry of list.split(',').map((one) => one.trim())) {
    if (entry === '') continue;
    if (entry === 'ALL' || basicRegex(entry)?.test(initiator) === true) return true;
    // An address in brackets that are never closed ends the list.
    if (entry.startsWith('[') && !entry.includes(']')) return false;
    const [host = '', bits] = entry.replace(/^\[([^\]]*)\]/, '$1').split('/');
    const family = isIP(host);
    if (family === 0 || family !== isIP(address)) continue;
    const type = family === 6 ? 'ipv6' : 'ipv4';
    const net = new BlockList();
    net.addSubnet(host, bits === undefined ? (family === 6 ? 128 : 32) : Number(bits), type);
    if (net.check(address, type)) return true;
  }
  return false;
}

/** A basic regular expression of POSIX, for the whole name. */
function basicRegex(text: string): RegExp | undefined {
  try {
    return new RegExp(`^${text.replace(/[+?(){}|]/g, '\\$&')}$`);
  } catch {
    return undefined;
  }
}
