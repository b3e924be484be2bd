import { type Access, type AttachedDevice, type Call, unlessCode, VbsError } from '@vbs/core';
import type { Row } from '../rules/expressions.js';
import type { Tools } from '../rules/tools.js';
import type { HypervisorRules } from './rules.js';
import type { Slots } from './slots.js';

/** A VM as `identify` lists it. */
export interface ListedVm {
  readonly vm: string;
  readonly alias: string | undefined;
  readonly running: boolean;
}

/** A disk as the lines of `list` tell it together. */
export interface Disk {
  readonly vm: string;
  readonly slot: string;
  /** Undefined where it is told no path, or two. */
  readonly source: string | undefined;
  readonly access: Access;
  readonly state: 'attached' | 'changing';
}

/** A node at one moment. */
export interface Picture {
  readonly vms: readonly ListedVm[];
  readonly disks: readonly Disk[];
}

/** Commands, rules and slots of one instance. */
export interface Parts {
  readonly tools: Tools;
  readonly rules: HypervisorRules;
  readonly slots: Slots;
}

const mostVms = 1_000;

/** @throws FAILED_PRECONDITION: two VMs have one name. */
export async function lookAtVms(call: Call, { tools, rules }: Parts): Promise<readonly ListedVm[]> {
  const rows = await tools.read(call, 'identify', rules.identify);
  const vms = rows.map(({ vm = '', alias, running }): ListedVm => ({ vm, alias, running: !rules.tellsRunning || (running ?? '') !== '' }));
  const names = new Set<string>();
  for (const { vm } of vms) {
    if (names.has(vm)) {
      throw new VbsError('FAILED_PRECONDITION', `The node has two VMs called ${vm}: rename or end one of them.`, { context: { vm } });
    }
    names.add(vm);
  }
  if (vms.length > mostVms) throw new VbsError('RESOURCE_EXHAUSTED', `The node has more than the ${mostVms} VMs that are looked at.`);
  return vms;
}

/** All VMs, and all their disks. */
export async function look(call: Call, parts: Parts): Promise<Picture> {
  const vms = await lookAtVms(call, parts);
  const { tools, rules } = parts;
  if (!rules.listsEach) {
    const byAlias = new Map(vms.map(({ vm, alias }) => [alias, vm]));
    const rows = await tools.read(call, 'list', rules.list);
    // A VM that went between the two commands has no name any more, and its disks are told all the same.
    const owned = rows.map((row) => ({ row, vm: row.vm ?? byAlias.get(row.alias) ?? `(${row.alias})` }));
    return { vms, disks: disksOf(owned, parts) };
  }
  const lists = await Promise.all(vms.map(async ({ vm }) => (await rowsOf(call, parts, vm)).map((row) => ({ row, vm }))));
  return { vms, disks: disksOf(lists.flat(), parts) };
}

async function rowsOf(call: Call, parts: Parts, vm: string): Promise<readonly Row[]> {
  const { tools, rules } = parts;
  const rows = await unlessCode('NOT_FOUND', tools.read(call, 'list', rules.list, { vmId: vm }));
  if (rows !== undefined) return rows;
  const isThere = (await lookAtVms(call, parts)).some((other) => other.vm === vm);
  if (!isThere) return [];
  throw new VbsError('UNAVAILABLE', `The node lists the VM ${vm}, and says that there is none when it is asked for its disks.`, {
    context: { vm },
  });
}

/** One disk for each slot that lines name, by whatever name. */
function disksOf(owned: readonly { readonly row: Row; readonly vm: string }[], { rules, slots }: Parts): readonly Disk[] {
  const names = slots.names(owned.map(({ row }) => row.slot ?? ''));
  const disks = new Map<string, { readonly vm: string; readonly slot: string; readonly rows: Row[] }>();
  for (const [index, { row, vm }] of owned.entries()) {
    const slot = names[index] ?? row.slot ?? '';
    const key = JSON.stringify([vm, slot]);
    const disk = disks.get(key) ?? { vm, slot, rows: [] };
    disk.rows.push(row);
    disks.set(key, disk);
  }
  return [...disks.values()].map(({ vm, slot, rows }) => {
    const [source, access, state] = ['source', 'access', 'state'].map((group) => wordsOf(rows, group));
    const path = one(source);
    const known = rules.access === undefined ? 'read-write' : rules.access[one(access, '') ?? ''];
    const isAttached = rules.state === undefined || rules.state[one(state, '') ?? ''] === 'attached';
    // What two lines tell otherwise, or in a word that nobody has explained, is no answer.
    const isClear = path !== undefined && known !== undefined && isAttached;
    return { vm, slot, source: path, access: known ?? 'read-write', state: isClear ? 'attached' : 'changing' };
  });
}

function wordsOf(rows: readonly Row[], group: string): readonly string[] {
  return [...new Set(rows.flatMap((row) => row[group] ?? []))];
}

/** The one word; undefined where there are two, and `none` where there is none. */
function one(words: readonly string[] = [], none?: string): string | undefined {
  return words.length > 1 ? undefined : (words[0] ?? none);
}

export function diskIn({ disks }: Picture, { vm, slot }: { readonly vm: string; readonly slot: string }): Disk | undefined {
  return disks.find((disk) => disk.vm === vm && disk.slot === slot);
}

/** Every disk of every VM, as the contract tells it. */
export function attachedDevices({ disks }: Picture): readonly AttachedDevice[] {
  return disks.map(({ source, ...disk }) => (source?.startsWith('/') ? { ...disk, source: { kind: 'block', path: source } } : disk));
}
