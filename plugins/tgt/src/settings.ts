import { isIP } from 'node:net';
import { type Instance, VbsError } from '@vbs/core';
import { defaultTargetIds, type TargetIds } from '@vbs/core/exporter-support';
import type { commands } from './commands.js';
import { type TgtConfig, tgtDefaults, usualSocket } from './config.js';
import type { DaemonSettings } from './daemon.js';
import { instanceDigest } from './names.js';
import { isLoopback, parsePortal } from './portal.js';

/** The configuration of an instance, completed. */
export interface TgtSettings extends DaemonSettings {
  readonly directory: string;
  readonly iqnPrefix: string;
  readonly acl: boolean;
  readonly chap: boolean;
  /** As tgtd takes and tells them. */
  readonly flags: string;
  readonly tids: TargetIds;
}

/** The kernel's limit for the path of a Unix socket, without the closing NUL. */
const longestSocketPath = 107;

/** @throws CONFIG_INVALID: the portal, the socket's path or the range of target ids is not legal. */
export function settingsOf(
  instance: Pick<Instance<TgtConfig, 'any', typeof commands>, 'config' | 'name' | 'store' | 'stateDirectory'>,
): TgtSettings {
  const { writeCache, direct, ...config } = { ...tgtDefaults, ...instance.config };
  const invalid = (field: string, message: string): VbsError => {
    const told = `${instance.name}: "${field}" ${message}`;
    return new VbsError('CONFIG_INVALID', told, { context: { field, faults: [told] } });
  };
  const wanted = parsePortal(config.portal);
  if (wanted === undefined)
    throw invalid('portal', `must be host:port, an IPv6 host in brackets, a port of 1 to 65535; it is ${config.portal}.`);
  if (config.daemon === 'own' && isIP(wanted.host) === 0) {
    throw invalid('portal', `must have an IP address where "daemon" is own, since tgtd listens on it; ${wanted.host} is a name.`);
  }
  const directory = config.directory ?? `${instance.stateDirectory}/tgt-${instanceDigest(instance.name)}`;
  const socket = config.socket ?? (config.daemon === 'own' ? `${directory}/tgtd` : usualSocket);
  const path = `${socket}.${config.control}`;
  if (Buffer.byteLength(path) > longestSocketPath || /[,=]/.test(path)) {
    throw invalid(
      'socket',
      `leads to ${path}: it must have at most ${longestSocketPath} bytes and neither ',' nor '='. Set "socket" to a shorter path.`,
    );
  }
  const tids = config.tids ?? defaultTargetIds(instance.store.id, instance.name);
  if (tids.last < tids.first) throw invalid('tids', `must have "first" not above "last"; it has ${tids.first} and ${tids.last}.`);
  const flags = [...(writeCache === 'off' ? ['sync'] : []), ...(direct ? ['direct'] : [])].join(':');
  return { ...config, wanted, directory, socket, flags, tids };
}

/** Whether what tgtd listens on is this machine's alone. */
export function reachOf(hosts: readonly string[]): 'loopback' | 'network' {
  return hosts.length > 0 && hosts.every(isLoopback) ? 'loopback' : 'network';
}
