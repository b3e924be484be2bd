import type { ToolResult, ToolRun } from '../frame/tool.js';
import { failure, type IscsiadmArguments, parseArguments, parsePortal } from './arguments.js';
import type { KernelSession, StandInKernel } from './kernel.js';
import type { NodeDatabase, NodeRecord } from './node-database.js';
import type { StandInTarget } from './targets.js';

export interface IscsiadmWorld {
  readonly kernel: StandInKernel;
  readonly database: NodeDatabase;
  readonly targets: ReadonlyMap<string, StandInTarget>;
  readonly initiatorName: string;
  readonly iscsid: boolean;
}

/** iscsiadm of open-iscsi 2.1.8, as far as sessions of one interface go. */
export function iscsiadm(world: IscsiadmWorld, { args }: ToolRun): ToolResult {
  try {
    const parsed = parseArguments(args);
    if (parsed.mode === 'node') return node(world, parsed);
    if (parsed.mode === 'session') return session(world, parsed);
    return discovery(world, parsed);
  } catch (error) {
    if (error instanceof Error) throw error;
    return error as ToolResult;
  }
}

function node(world: IscsiadmWorld, { flags, values }: IscsiadmArguments): ToolResult {
  const [iqn] = values.get('T') ?? [];
  const [text] = values.get('p') ?? [];
  const portal: { readonly address?: string; readonly port?: number } = text === undefined ? {} : parsePortal(text);
  const [op] = values.get('o') ?? [];
  if (op === 'new') {
    if (iqn === undefined || portal.address === undefined || portal.port === undefined)
      return failure(7, 'iscsiadm: Please specify a portal and a target');
    return create(world, iqn, portal.address, portal.port);
  }
  if (flags.has('u')) return logoutAll(world, { ...(iqn === undefined ? {} : { iqn }), ...portal });
  const records = world.database.find({ ...(iqn === undefined ? {} : { iqn }), ...portal });
  if (records.length === 0) return failure(21, 'iscsiadm: No records found');
  if (flags.has('l')) return walked(world, () => login(world, records));
  if (op === 'delete') return walked(world, () => remove(world, records));
  if (op === 'update') return update(world, records, values);
  const lines = records.map(({ address, port, iqn: name, values: kept }) => `${shown(address, port)},${group(kept)} ${name}\n`);
  return { stdout: lines.join('') };
}

/** It reads every record, whichever it was told: where another goes meanwhile, it may have done its part, and says that it failed. */
function walked({ database }: IscsiadmWorld, act: () => ToolResult): ToolResult {
  const met = database.vanishing.shift();
  if (met === undefined) return act();
  const { exitCode = 0, stdout = '', stderr = '' } = met === 'behind' ? act() : {};
  if (exitCode !== 0) return { exitCode, stdout, stderr };
  return { ...failure(6, 'iscsiadm: Could not execute operation on all records: encountered iSCSI database failure'), stdout };
}

function create({ database }: IscsiadmWorld, iqn: string, address: string, port: number): ToolResult {
  if (database.create(iqn, address, port)) {
    return { stdout: `New iSCSI node [tcp:[hw=,ip=,net_if=,iscsi_if=default] ${address},${port},-1 ${iqn}] added\n` };
  }
  const path = `/etc/iscsi/nodes/${iqn}/,3260,-1/default`;
  return failure(
    6,
    `iscsiadm: Could not stat ${path} to delete node: No such file or directory`,
    'iscsiadm: Error while adding record: encountered iSCSI database failure',
  );
}

function update({ database }: IscsiadmWorld, records: readonly NodeRecord[], values: ReadonlyMap<string, readonly string[]>): ToolResult {
  const [names = [], given = []] = [values.get('n'), values.get('v')];
  if (names.length === 0 || names.length !== given.length) return failure(7, 'iscsiadm: update requires name and value');
  for (const record of records) {
    for (const [index, name] of names.entries()) {
      if (!record.values.has(name) && !/^node\.session\.auth\./.test(name))
        return failure(
          7,
          `iscsiadm: Cannot modify ${name}. Invalid param name.`,
          'iscsiadm: Could not execute operation on all records: invalid parameter',
        );
      database.update(record, name, given[index] ?? '');
    }
  }
  return {};
}

function remove({ database, kernel }: IscsiadmWorld, records: readonly NodeRecord[]): ToolResult {
  for (const record of records) {
    if ([...kernel.sessions.values()].some((one) => isOf(one, record))) {
      const of = `[iface: default, target: ${record.iqn}, portal: ${record.address},${record.port}]`;
      return failure(
        15,
        `iscsiadm: This command will remove the record ${of}, but a session is using it. Logout session then rerun command to remove record.`,
        'iscsiadm: Could not execute operation on all records: session exists',
      );
    }
    database.delete(record);
  }
  return {};
}

function login(world: IscsiadmWorld, records: readonly NodeRecord[]): ToolResult {
  const out: string[] = [];
  for (const record of records) {
    if ([...world.kernel.sessions.values()].some((one) => isOf(one, record))) {
      return {
        ...failure(15, 'iscsiadm: default: 1 session requested, but 1 already present.', 'iscsiadm: Could not log into all portals'),
        stdout: out.join(''),
      };
    }
    const of = `[iface: default, target: ${record.iqn}, portal: ${record.address},${record.port}]`;
    out.push(`Logging in to ${of}\n`);
    const answer = admission(world, record);
    if ('refused' in answer) {
      const [exitCode, why] = answer.refused;
      const lines = [`iscsiadm: Could not login to ${of}.`, `iscsiadm: initiator reported error (${exitCode} - ${why})`];
      return { ...failure(exitCode, ...lines, 'iscsiadm: Could not log into all portals'), stdout: out.join('') };
    }
    const { target, leave } = answer;
    const { address, port, values } = record;
    world.kernel.open({ target, address, port, leave, manual: values.get('node.session.scan') === 'manual' });
    out.push(`Login to ${of} successful.\n`);
  }
  return { stdout: out.join('') };
}

type Admitted = { readonly target: StandInTarget; readonly leave: () => void };

function admission(world: IscsiadmWorld, record: NodeRecord): Admitted | { readonly refused: readonly [number, string] } {
  const { iqn, address, port, values } = record;
  const portal = shown(address, port);
  if (!world.iscsid) return { refused: [20, 'could not connect to iscsid'] };
  const served = [...world.targets.values()].some(({ dead, portals }) => !dead && portals.includes(portal));
  const target = world.targets.get(iqn);
  if (!served || target?.dead === true) return { refused: [11, 'iSCSI PDU timed out'] };
  const [user, password] = ['username', 'password'].map((name) => values.get(`node.session.auth.${name}`));
  const given = values.get('node.session.auth.authmethod') === 'CHAP' && user !== undefined && password !== undefined;
  const answer = target?.admit({ initiator: world.initiatorName, portal, chap: given ? { user, password } : undefined }) ?? 'not found';
  if (answer === 'wrong secret') return { refused: [24, 'iSCSI login failed due to authorization failure'] };
  if (answer === 'not found' || target === undefined) return { refused: [19, 'encountered non-retryable iSCSI login failure'] };
  return { target, leave: answer.leave };
}

function session(world: IscsiadmWorld, { flags, values }: IscsiadmArguments): ToolResult {
  const { kernel } = world;
  const [wanted] = values.get('r') ?? [];
  const found = [...kernel.sessions.values()].filter(({ sid }) => wanted === undefined || sid === Number(wanted));
  if (found.length === 0 && wanted !== undefined) {
    return failure(22, 'iscsiadm: could not read session targetname: 5', `iscsiadm: Could not get session info for sid ${wanted}`);
  }
  if (found.length === 0) return failure(21, 'iscsiadm: No active sessions.');
  if (flags.has('u')) return logout(world, found);
  const lines = found.map(({ sid, address, port, target }) => `tcp: [${sid}] ${shown(address, port)},1 ${target.iqn} (non-flash)\n`);
  return { stdout: lines.join('') };
}

function logoutAll(world: IscsiadmWorld, filter: { readonly iqn?: string; readonly address?: string; readonly port?: number }): ToolResult {
  const found = [...world.kernel.sessions.values()].filter(
    ({ target, address, port }) =>
      (filter.iqn ?? target.iqn) === target.iqn && (filter.address ?? address) === address && (filter.port ?? port) === port,
  );
  return found.length === 0 ? failure(21, 'iscsiadm: No matching sessions found') : logout(world, found);
}

function logout({ kernel, iscsid }: IscsiadmWorld, found: readonly KernelSession[]): ToolResult {
  const out: string[] = [];
  for (const { sid, target, address, port } of found) {
    const of = `[sid: ${sid}, target: ${target.iqn}, portal: ${address},${port}]`;
    out.push(`Logging out of session ${of}\n`);
    if (!iscsid) {
      const lines = [`iscsiadm: Could not logout of ${of}.`, 'iscsiadm: initiator reported error (20 - could not connect to iscsid)'];
      return { ...failure(20, ...lines, 'iscsiadm: Could not logout of all requested sessions'), stdout: out.join('') };
    }
    kernel.close(sid);
    out.push(`Logout of ${of} successful.\n`);
  }
  return { stdout: out.join('') };
}

function discovery({ targets, database, initiatorName }: IscsiadmWorld, { values }: IscsiadmArguments): ToolResult {
  const [[type] = [], [text] = []] = [values.get('t') ?? [], values.get('p') ?? []];
  if (!['st', 'sendtargets'].includes(type ?? '') || text === undefined) return failure(7, 'iscsiadm: Please specify type and portal');
  const { address, port } = parsePortal(text);
  const open = [...targets.values()].filter(({ dead, portals }) => !dead && portals.includes(shown(address, port)));
  if (open.length === 0) {
    const lines = [
      `iscsiadm: cannot make connection to ${address}: Connection refused`,
      'iscsiadm: connection login retries (reopen_max) 5 exceeded',
    ];
    return failure(11, ...lines, 'iscsiadm: Could not perform SendTargets discovery: iSCSI PDU timed out');
  }
  const visible = open.filter(({ initiators }) => initiators?.includes(initiatorName) ?? true);
  if (visible.length === 0) return failure(21, 'iscsiadm: No portals found');
  for (const { iqn } of visible) database.discover(iqn, address, port);
  return { stdout: visible.map(({ iqn }) => `${shown(address, port)},1 ${iqn}\n`).join('') };
}

function isOf({ target, address, port }: KernelSession, record: NodeRecord): boolean {
  return target.iqn === record.iqn && address === record.address && port === record.port;
}

function shown(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** A record without a group tells it as the unsigned -1. */
function group(values: ReadonlyMap<string, string>): string {
  const tag = values.get('node.tpgt') ?? '-1';
  return tag === '-1' ? '4294967295' : tag;
}
