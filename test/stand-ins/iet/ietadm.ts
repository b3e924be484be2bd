import type { ToolResult, ToolRun } from '../frame/tool.js';
import { type Options, readOptions } from './getopt.js';
import type { IetWorld, Lun, Target } from './iet-world.js';

/** errno, and the text that ietadm makes of it; its exit code is 256 less the errno. */
const errors = {
  EPERM: [1, 'Operation not permitted'],
  ENOENT: [2, 'No such file or directory'],
  EBUSY: [16, 'Device or resource busy'],
  EINVAL: [22, 'Invalid argument'],
  ECONNREFUSED: [111, 'Connection refused'],
} as const;

const highestLun = 0x3fff;
const longestName = 255;
const longestParams = 2047;
const done: ToolResult = {};

function failed(error: keyof typeof errors, text?: string): ToolResult {
  const [errno, usual] = errors[error];
  return { exitCode: 256 - errno, stderr: `${text ?? `${usual}.`}\n` };
}

/** ietadm 1.4.19, by its sheet. */
export function ietadm(world: IetWorld, { args }: ToolRun): ToolResult {
  const read = readOptions(args);
  if ('refused' in read) return { exitCode: 255, stderr: `${read.refused}Try \`ietadm --help' for more information.\n` };
  const { options } = read;
  if (options.version === true) return { stdout: 'ietadm version 1.4.19\n' };
  if (options.help === true) return { stdout: 'iSCSI Enterprise Target Administration Utility.\n' };
  if ((options.params ?? '').length > longestParams) return failed('EINVAL');
  switch (options.op) {
    case 'new':
      return create(world, options);
    case 'delete':
      return remove(world, options);
    case 'show':
      return show(world, options);
    case 'update':
      return update(world, options);
    default:
      return failed('EINVAL', 'You must specify the operation type');
  }
}

function create(world: IetWorld, options: Options): ToolResult {
  const { params } = options;
  if (options.user === true) return addUser(world, options);
  if (options.lun !== undefined) {
    if (params === undefined) return { exitCode: 139, stderr: 'Segmentation fault\n' };
    if (!world.runs) return failed('ECONNREFUSED');
    return addLun(world, Number(options.tid), Number(options.lun), pairs(params)) ? done : failed('EPERM');
  }
  const name = /^Name=(?<name>.*)$/s.exec(params ?? '')?.groups?.name;
  if (options.tid === undefined || name === undefined || name.length > longestName) return failed('EINVAL');
  if (!world.runs) return failed('ECONNREFUSED');
  if (world.targetNamed(name) !== undefined) return failed('EINVAL');
  const tid = Number(options.tid) || 1 + Math.max(0, ...world.targets.map((target) => target.tid));
  if (name === '' || world.target(tid) !== undefined) return failed('EPERM');
  world.targets = [{ tid, name, luns: new Map(), sessions: new Set(), params: new Map() }, ...world.targets];
  world.tell();
  return done;
}

function addUser(world: IetWorld, { tid, params = '' }: Options): ToolResult {
  const given = pairs(params);
  const password = given.get('password');
  const direction = given.has('incominguser') ? 'IncomingUser' : 'OutgoingUser';
  const name = given.get(direction.toLowerCase());
  if (name === undefined || password === undefined) return failed('EINVAL', 'Username and password must be specified');
  if (!world.runs) return failed('ECONNREFUSED');
  const user = { tid: Number(tid ?? 0), direction, name, password } as const;
  const others = world.users.filter((one) => direction === 'IncomingUser' || one.tid !== user.tid || one.direction !== direction);
  world.users = [user, ...others];
  return done;
}

/** The real reason stands in ietd's log alone. */
function addLun(world: IetWorld, tid: number, number: number, params: ReadonlyMap<string, string>): boolean {
  const target = world.target(tid);
  const legal = ['path', 'type', 'iomode', 'scsiid', 'scsisn', 'sectors', 'blocksize'];
  const [path = '', type = 'fileio', mode, scsiId = '', serial = ''] = ['path', 'type', 'iomode', 'scsiid', 'scsisn'].map((key) =>
    params.get(key),
  );
  if (target === undefined || target.luns.has(number) || !(number >= 0 && number <= highestLun)) return false;
  if ([...params.keys()].some((key) => !legal.includes(key))) return false;
  if (type !== 'fileio' && type !== 'blockio' && type !== 'nullio') return false;
  if (scsiId.length > 16 || serial.length > 16) return false;
  const sizeBytes = type === 'nullio' ? 1024 * 1024 : world.sizeOf(path);
  if (sizeBytes === undefined || (path === '' && type !== 'nullio')) return false;
  const luns = world.targets.flatMap((one) => [...one.luns.values()]);
  const isFree = !world.held.has(path) && !luns.some((lun) => lun.type === 'blockio' && lun.path === path);
  if (type === 'blockio' && (!world.devices.has(path) || !isFree)) return false;
  const lun: Lun = { lun: number, type, mode: mode === 'ro' || mode === 'wb' ? mode : 'wt', path, serial, scsiId, sizeBytes };
  target.luns.set(number, lun);
  world.tell();
  return true;
}

function remove(world: IetWorld, { tid, sid, cid, lun, user, params = '' }: Options): ToolResult {
  if (!world.runs) return failed('ECONNREFUSED');
  if (user === true) return removeUser(world, Number(tid ?? 0), pairs(params));
  if (tid === undefined) {
    world.stop();
    return done;
  }
  const target = world.target(Number(tid));
  if (sid !== undefined) {
    const session = [...(target?.sessions ?? [])].find((one) => one.sid === sid);
    if (session === undefined || cid !== '0') return { exitCode: 2 };
    world.close(session);
    return done;
  }
  if (lun !== undefined) {
    if (target?.luns.delete(Number(lun)) !== true) return failed('EPERM');
    world.tell();
    return done;
  }
  if (target === undefined) return failed('ENOENT');
  if (target.sessions.size > 0) return failed(world.busyAnswer);
  world.targets = world.targets.filter((one) => one !== target);
  world.tell();
  return done;
}

function removeUser(world: IetWorld, tid: number, params: ReadonlyMap<string, string>): ToolResult {
  const direction = params.has('incominguser') ? 'IncomingUser' : 'OutgoingUser';
  const at = world.users.findIndex(
    (user) => user.tid === tid && user.direction === direction && user.name === params.get(direction.toLowerCase()),
  );
  if (at < 0) return failed('ENOENT');
  world.users = world.users.toSpliced(at, 1);
  return done;
}

function show(world: IetWorld, { tid, user, params }: Options): ToolResult {
  if (!world.runs) return failed('ECONNREFUSED');
  if (user === true) return showUsers(world, Number(tid ?? 0), pairs(params ?? ''));
  const target = world.target(Number(tid));
  return target === undefined ? failed('EPERM') : { stdout: shown(target) };
}

function showUsers(world: IetWorld, tid: number, params: ReadonlyMap<string, string>): ToolResult {
  const mine = world.users.filter((user) => user.tid === tid);
  const [direction, name] = [...params][0] ?? [];
  if (direction === undefined) return { stdout: mine.map((user) => `${user.direction} ${user.name}\n`).join('') };
  const found = mine.find((user) => user.direction.toLowerCase() === direction && user.name === name);
  return found === undefined ? failed('ENOENT') : { stdout: `${found.direction} ${found.name} ${found.password}\n` };
}

const targetParams = [
  ['Wthreads', '8'],
  ['Type', '0'],
  ['QueuedCommands', '32'],
  ['NOPInterval', '0'],
  ['NOPTimeout', '0'],
] as const;
const switches = ['InitialR2T', 'ImmediateData', 'DataPDUInOrder', 'DataSequenceInOrder'];

function shown({ params }: Target): string {
  return targetParams.map(([key, usual]) => `${key}=${params.get(key) ?? usual}\n`).join('');
}

function update(world: IetWorld, { tid, params = '' }: Options): ToolResult {
  for (const [given, value] of pairs(params)) {
    const name = [...targetParams.map(([key]) => key), ...switches].find((key) => key.toLowerCase() === given);
    if (name === undefined) return failed('EINVAL', `Unknown parameter "${spelt(params, given)}".`);
    const isLegal = switches.includes(name) ? value === 'Yes' || value === 'No' : /^\d+$/.test(value);
    if (!isLegal) return failed('EINVAL', `Invalid ${name} value "${value}".`);
  }
  if (!world.runs) return failed('ECONNREFUSED');
  const target = world.target(Number(tid));
  if (target === undefined) return failed('EPERM');
  for (const [given, value] of pairs(params)) {
    const [key] = targetParams.find(([one]) => one.toLowerCase() === given) ?? [];
    if (key !== undefined) target.params.set(key, value);
  }
  return done;
}

function spelt(params: string, key: string): string {
  return params.slice(params.toLowerCase().indexOf(key)).slice(0, key.length);
}

/** `k=v,k=v`, by keys in lower case: a comma in a path begins another key. */
function pairs(params: string): ReadonlyMap<string, string> {
  const words = params.split(',').filter((word) => word !== '');
  return new Map(words.map((word) => [(word.split('=')[0] ?? '').toLowerCase(), word.slice(word.indexOf('=') + 1)]));
}
