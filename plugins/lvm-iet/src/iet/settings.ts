import { type Instance, VbsError } from '@vbs/core';
import { defaultTargetIds, type TargetIds } from '@vbs/core/exporter-support';
import type { commands } from './commands.js';
import { type IetConfig, ietDefaults } from './config.js';

/** The configuration of an instance, completed. */
export interface IetSettings {
  readonly portal: string;
  readonly iqnPrefix: string;
  readonly acl: boolean;
  readonly chap: boolean;
  readonly initiatorsAllow: string;
  /** IOMode of an export that may be written to. */
  readonly writeMode: 'wt' | 'wb';
  readonly tids: TargetIds;
}

type Told = Pick<Instance<IetConfig, 'any', typeof commands>, 'config' | 'name' | 'store' | 'commands'>;

const highestPort = 65_535;

/** @throws CONFIG_INVALID: the portal or the range of target ids is not legal, or a pattern of the configuration leaves the target id out. */
export function settingsOf(instance: Told): IetSettings {
  const { writeCache, ...config } = { ...ietDefaults, ...instance.config };
  const invalid = (field: string, message: string): VbsError => {
    const told = `${instance.name}: "${field}" ${message}`;
    return new VbsError('CONFIG_INVALID', told, { context: { field, faults: [told] } });
  };
  const port = Number(/:(\d{1,5})$/.exec(config.portal)?.[1]);
  if (!(port >= 1 && port <= highestPort)) {
    throw invalid('portal', `must be host:port, an IPv6 host in brackets, a port of 1 to ${highestPort}; it is ${config.portal}.`);
  }
  const tids = config.tids ?? defaultTargetIds(instance.store.id, instance.name);
  if (tids.last < tids.first) throw invalid('tids', `must have "first" not above "last"; it has ${tids.first} and ${tids.last}.`);
  const careless = patternWithoutTid(instance.commands);
  if (careless !== undefined) {
    throw invalid(
      `commands/${careless}`,
      'leaves <tid> out: "ietadm --op delete" without a target id stops every target of the machine. Put it in.',
    );
  }
  return { ...config, tids, writeMode: writeCache === 'on' ? 'wb' : 'wt' };
}

const probeTid = 1_234_567_891;

/** A replaced pattern may leave placeholders out, at the cost of capabilities; the target id is not for sale. */
function patternWithoutTid(runner: Told['commands']): string | undefined {
  const tid = probeTid;
  const filled = {
    createTarget: runner.fill('createTarget', { tid, iqn: 'n' }),
    deleteTarget: runner.fill('deleteTarget', { tid }),
    listUsers: runner.fill('listUsers', { tid }),
    createUser: runner.fill('createUser', { tid, user: 'n', password: 'n' }),
    deleteUser: runner.fill('deleteUser', { tid, direction: 'IncomingUser', user: 'n' }),
    createLun: runner.fill('createLun', { tid, lun: 0, path: '/n', type: 'n', serial: 'n', mode: 'n' }),
    deleteLun: runner.fill('deleteLun', { tid, lun: 0 }),
    dropConnection: runner.fill('dropConnection', { tid, sid: 'n', cid: 0 }),
  };
  const found = Object.entries(filled).find(([, words]) => !words.some((word) => String(word).includes(String(tid))));
  return found?.[0];
}
