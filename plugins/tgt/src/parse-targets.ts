import { VbsError } from '@vbs/core';

/** A session of an initiator with a target. */
export interface TgtSession {
  readonly sid: number;
  readonly initiator: string;
  readonly connections: readonly number[];
}

/** A logical unit as tgtd tells it; LUN 0 is the controller. */
export interface TgtLun {
  readonly lun: number;
  readonly scsiId: string;
  readonly serial: string;
  /** Rounded to millions of bytes: tgtd tells no better. */
  readonly megabytes: number;
  readonly online: boolean;
  readonly readOnly: boolean;
  readonly path: string;
  readonly flags: string;
}

/** A target as `tgtadm --op show --mode target` tells it. */
export interface TgtTarget {
  readonly tid: number;
  readonly iqn: string;
  readonly state: string;
  readonly sessions: readonly TgtSession[];
  readonly luns: readonly TgtLun[];
  readonly accounts: readonly string[];
  /** Initiator names, addresses and ALL, as they were bound. */
  readonly acl: readonly string[];
}

const depthWidth = 4;

/** A line and the lines that are indented below it. */
interface Entry {
  readonly text: string;
  readonly below: readonly Entry[];
}

/**
 * The targets in the output of `tgtadm --op show --mode target` (tgt 1.0.85).
 * @throws INTERNAL: the output is not of this form, or names a target twice.
 */
export function parseTargets(output: string): readonly TgtTarget[] {
  const targets = nest(output).map(readTarget);
  const keys = targets.flatMap(({ tid, iqn }) => [String(tid), iqn]);
  if (new Set(keys).size !== keys.length) throw strange('a target is told twice', '');
  return targets;
}

function nest(output: string): readonly Entry[] {
  const roots: Entry[] = [];
  const path: Entry[][] = [roots];
  for (const line of output.split('\n')) {
    if (line === '') continue;
    const indent = line.length - line.trimStart().length;
    const depth = indent / depthWidth;
    const into = path[depth];
    if (!Number.isInteger(depth) || into === undefined) throw strange('a line is indented otherwise than expected', line);
    const below: Entry[] = [];
    into.push({ text: line.slice(indent), below });
    path.splice(depth + 1, path.length, below);
  }
  return roots;
}

function readTarget({ text, below }: Entry): TgtTarget {
  const { tid, iqn } = /^Target (?<tid>\d+): (?<iqn>\S+)$/.exec(text)?.groups ?? {};
  if (tid === undefined || iqn === undefined) throw strange('a target was expected', text);
  const section = (name: string): readonly Entry[] => {
    const found = below.find((entry) => entry.text === `${name}:`);
    if (found === undefined) throw strange(`${iqn} has no section "${name}"`, text);
    return found.below;
  };
  return {
    tid: Number(tid),
    iqn,
    state: field(section('System information'), 'State'),
    sessions: section('I_T nexus information').map(readSession),
    luns: section('LUN information').map(readLun),
    accounts: section('Account information').map((entry) => entry.text.replace(/ \(outgoing\)$/, '')),
    acl: section('ACL information').map((entry) => entry.text),
  };
}

function readSession({ text, below }: Entry): TgtSession {
  const { sid } = /^I_T nexus: (?<sid>\d+)$/.exec(text)?.groups ?? {};
  if (sid === undefined) throw strange('a session was expected', text);
  const connections = below.flatMap((entry) => /^Connection: (\d+)$/.exec(entry.text)?.[1] ?? []);
  const [, initiator] = /^(\S*)/.exec(field(below, 'Initiator')) ?? [];
  return { sid: Number(sid), initiator: initiator ?? '', connections: connections.map(Number) };
}

function readLun({ text, below }: Entry): TgtLun {
  const { lun } = /^LUN: (?<lun>\d+)$/.exec(text)?.groups ?? {};
  const { size } = /^(?<size>\d+) MB, Block size: \d+$/.exec(field(below, 'Size'))?.groups ?? {};
  if (lun === undefined || size === undefined) throw strange('a logical unit with its size was expected', text);
  return {
    lun: Number(lun),
    scsiId: field(below, 'SCSI ID'),
    serial: field(below, 'SCSI SN'),
    megabytes: Number(size),
    online: field(below, 'Online') === 'Yes',
    readOnly: field(below, 'Readonly') === 'Yes',
    path: field(below, 'Backing store path'),
    flags: field(below, 'Backing store flags').trimEnd(),
  };
}

function field(entries: readonly Entry[], name: string): string {
  const found = entries.find((entry) => entry.text.startsWith(`${name}: `) || entry.text === `${name}:`);
  if (found === undefined) throw strange(`the field "${name}" is missing`, entries[0]?.text ?? '');
  return found.text.slice(name.length + 2);
}

function strange(what: string, line: string): VbsError {
  const message = `tgtadm told its targets in a form that VBS does not know (it knows that of tgt 1.0.85): ${what}.`;
  return new VbsError('INTERNAL', message, { context: { line: line.slice(0, 200) } });
}
