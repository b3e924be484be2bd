import { createHash } from 'node:crypto';
import type { AttachedDevice } from '@vbs/core';
import { type Drive, parseDrive } from './drive.js';
import { busOf } from './slot.js';

/** A slot of a VM: what it holds, and what is to come of it. One of `current` and `next` is there. */
export interface SlotState {
  /** What the VM has. */
  readonly current?: Drive;
  /** What it is to have once it is started again, or the change is tried again. */
  readonly next?: Drive;
  /** It was to be taken out, and has not gone. */
  readonly leaving: boolean;
}

/** A VM as its configuration tells it. */
export interface SeenVm {
  readonly vmid: string;
  readonly uuid?: string;
  /** What may come and go while it runs, as configured. */
  readonly hotplug?: string;
  readonly slots: ReadonlyMap<string, SlotState>;
  /** Entries of disks that were taken out and are kept: `unused0` and on. */
  readonly unused: ReadonlyMap<string, Drive>;
}

/** A VM that may be changed. */
export interface Vm extends SeenVm {
  /** Of the whole configuration: a change that bears it is refused once anybody has changed anything. */
  readonly digest: string;
}

/** A VM's options as they are, as they are to be, and which are to go. */
export interface VmOptions {
  readonly current: ReadonlyMap<string, string>;
  readonly next: ReadonlyMap<string, string>;
  readonly leaving: ReadonlySet<string>;
}

export function seenVmOf(vmid: string, { current, next, leaving }: VmOptions): SeenVm {
  const names = new Set([...current.keys(), ...next.keys()]);
  const slots = [...names].flatMap((name): [string, SlotState][] => {
    const [now, then] = [current.get(name), next.get(name)];
    if (busOf(name) === undefined) return [];
    const drives = {
      ...(now === undefined ? {} : { current: parseDrive(now) }),
      ...(then === undefined ? {} : { next: parseDrive(then) }),
    };
    return [[name, { ...drives, leaving: now !== undefined && leaving.has(name) }]];
  });
  const unused = [...current].flatMap(([name, text]): [string, Drive][] => (/^unused\d+$/.test(name) ? [[name, parseDrive(text)]] : []));
  const uuid = /(?:^|,)uuid=([0-9a-fA-F-]{36})(?:,|$)/.exec(current.get('smbios1') ?? '')?.[1]?.toLowerCase();
  const hotplug = current.get('hotplug');
  return {
    vmid,
    ...(uuid === undefined ? {} : { uuid }),
    ...(hotplug === undefined ? {} : { hotplug }),
    slots: new Map(slots),
    unused: new Map(unused),
  };
}

/**
 * A VM's file of the cluster's file system: its options, then sections; `[PENDING]` has what is to come, and each other is a snapshot's or
 * has nothing of disks.
 */
export function parseConfigFile(vmid: string, text: string): Vm {
  const [current, next] = [new Map<string, string>(), new Map<string, string>()];
  let section: Map<string, string> | undefined = current;
  for (const line of text.split('\n')) {
    const [, name] = /^\[([^\]]+)\]\s*$/.exec(line) ?? [];
    if (name !== undefined) section = name.toUpperCase() === 'PENDING' ? next : undefined;
    const [, key, value] = /^([a-z][a-z_]*\d*):\s*(.*\S)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) section?.set(key, value);
  }
  const leaving = (next.get('delete') ?? '').split(/[,;\s]+/).map((word) => word.replace(/^!/, ''));
  next.delete('delete');
  return { ...seenVmOf(vmid, { current, next, leaving: new Set(leaving) }), digest: createHash('sha1').update(text).digest('hex') };
}

/** Every disk of a VM, as the contract tells it. */
export function attachedDevices(key: string, { slots }: SeenVm): readonly AttachedDevice[] {
  return [...slots].flatMap(([slot, { current, next }]): AttachedDevice[] => {
    const drive = current ?? next;
    if (drive === undefined) return [];
    const { path, access } = drive;
    return [
      {
        vm: key,
        slot,
        ...(path === undefined ? {} : { source: { kind: 'block', path } }),
        access,
        // A guest that was asked and has not let go has its disk.
        state: current === undefined ? 'changing' : 'attached',
      },
    ];
  });
}
