import { type Access, type Call, type LocalMachine, VbsError } from '@vbs/core';
import { DiskLog, DiskState } from './disk-state.js';
import { afterEffect, beforeEffect, type FaultSource, noFaults } from './faults.js';

/** Bytes of one block of the world's volumes; each block holds one word. */
export const blockBytes = 4096;

export interface WorldVolume {
  readonly id: string;
  readonly sizeBytes: number;
  /** The words of its blocks; what is missing reads as ''. */
  readonly blocks: readonly string[];
  /** `to-do` until a fill has ended, `done` from then on; absent in a volume that was never to be filled. */
  readonly fill?: 'to-do' | 'done';
}
export interface WorldSnapshot {
  readonly id: string;
  readonly volumeId: string;
  readonly sizeBytes: number;
  readonly blocks: readonly string[];
}
export interface WorldExport {
  readonly exportId: string;
  readonly volumeId: string;
  readonly access: Access;
  readonly address: number | null;
  readonly sizeBytes: number;
  readonly revoked: boolean;
  /** A hash of the CHAP password that lets a node in. */
  readonly passwordHash: string;
}
/** The node's end of an export. A revoked export has no session, though its device node stays. */
export interface WorldConnection {
  readonly exportId: string;
  readonly sizeBytes: number;
  readonly session: boolean;
}
export interface WorldDevice {
  readonly vm: string;
  readonly slot: string;
  readonly path: string;
  readonly access: Access;
  readonly sizeBytes: number;
}

/** One line of the act log. `begin` and `end` surround every call; `effect` stands where the world was changed. */
export interface Act {
  readonly what: 'begin' | 'effect' | 'end';
  readonly pid: number;
  readonly at: number;
  readonly method: string;
  readonly operationId: string;
  readonly epoch: number;
  readonly resource?: string;
  readonly detail?: unknown;
}

export interface WorldOptions {
  readonly faults?: FaultSource;
  /** Told right before, in the middle of (after its effect) and after every call; where a process is killed. */
  readonly onCall?: (phase: 'before' | 'middle' | 'after', method: string) => void | Promise<void>;
  /** False leaves the guards out, to show what harm that does. */
  readonly guarded?: boolean;
  readonly liveSnapshot?: boolean;
  readonly instantClone?: boolean;
  /** Told in the middle of a populate, after each block's progress. */
  readonly onBlock?: (block: number) => void | Promise<void>;
}

export const devicePath = (exportId: string): string => `/world/by-id/${exportId}`;
export const exportOfPath = (path: string): string => path.slice('/world/by-id/'.length);

/**
 * Storage, target, initiator and hypervisor of a small world whose whole state lies in files. It writes down every act, and by
 * itself every breach of what must never happen (`violations`), whoever caused it.
 */
export class World {
  readonly volumes: DiskState<WorldVolume>;
  readonly snapshots: DiskState<WorldSnapshot>;
  readonly exports: DiskState<WorldExport>;
  readonly connections: DiskState<WorldConnection>;
  readonly devices: DiskState<WorldDevice>;
  readonly settings: DiskState<string>;
  readonly acts: DiskLog<Act>;
  readonly violations: DiskLog<string>;
  readonly #epochs: DiskState<number>;
  readonly options: WorldOptions;

  constructor(directory: string, options: WorldOptions = {}) {
    this.options = options;
    this.volumes = new DiskState(directory, 'volumes');
    this.snapshots = new DiskState(directory, 'snapshots');
    this.exports = new DiskState(directory, 'exports');
    this.connections = new DiskState(directory, 'connections');
    this.devices = new DiskState(directory, 'devices');
    this.settings = new DiskState(directory, 'settings');
    this.#epochs = new DiskState(directory, 'epochs');
    this.acts = new DiskLog(directory, 'acts');
    this.violations = new DiskLog(directory, 'violations');
  }

  /** Writes a breach down and refuses, as the real tool would. */
  violate(what: string): never {
    this.violations.add(what);
    throw new VbsError('FAILED_PRECONDITION', what);
  }

  /** A look: faults and kill points as every call, and no change. */
  async look<T>(call: Call, method: string, request: unknown, see: () => T): Promise<T> {
    const { faults = noFaults, onCall } = this.options;
    this.#note('begin', call, method);
    await onCall?.('before', method);
    const fault = await faults(call, method, request);
    await beforeEffect(fault, call);
    const seen = see();
    afterEffect(fault);
    this.#note('end', call, method);
    return seen;
  }

  /** A change of one resource, under its guard. */
  async change<T>(
    machine: LocalMachine,
    call: Call,
    method: string,
    request: unknown,
    resource: string,
    effect: () => T | Promise<T>,
  ): Promise<T> {
    const { faults = noFaults, onCall, guarded = true } = this.options;
    this.#note('begin', call, method, resource);
    await onCall?.('before', method);
    const act = async (): Promise<T> => {
      const fault = await faults(call, method, request);
      await beforeEffect(fault, call);
      this.#raiseEpoch(call, method, resource);
      const answer = await effect();
      this.#note('effect', call, method, resource);
      await onCall?.('middle', method);
      afterEffect(fault);
      return answer;
    };
    const answer = guarded ? await machine.guarded(call, resource, act) : await act();
    this.#note('end', call, method, resource);
    await onCall?.('after', method);
    return answer;
  }

  /** A step in the middle of a change, such as a block that was copied. */
  noteEffect(call: Call, method: string, resource: string, detail: unknown): void {
    this.#raiseEpoch(call, method, resource);
    this.#note('effect', call, method, resource, detail);
  }

  #note(what: Act['what'], { operationId, epoch }: Call, method: string, resource?: string, detail?: unknown): void {
    const act = { what, pid: process.pid, at: Date.now(), method, operationId, epoch };
    this.acts.add({ ...act, ...(resource === undefined ? {} : { resource }), ...(detail === undefined ? {} : { detail }) });
  }

  #raiseEpoch({ epoch, operationId }: Call, method: string, resource: string): void {
    const seen = this.#epochs.get(resource) ?? 0;
    if (epoch < seen) this.violations.add(`${method} changed ${resource} under epoch ${epoch} (${operationId}), after ${seen} was seen`);
    else if (epoch > seen) this.#epochs.put(resource, epoch);
  }

  /** The volume behind a device, through its connection and export; undefined where the way is broken. */
  behind(device: WorldDevice): { readonly volume: WorldVolume; readonly writable: boolean } | undefined {
    const exportId = exportOfPath(device.path);
    const connection = this.connections.get(exportId);
    const exported = this.exports.get(exportId);
    if (connection?.session !== true || exported === undefined || exported.revoked) return undefined;
    const volume = this.volumes.get(exported.volumeId);
    return volume && { volume, writable: device.access === 'read-write' && exported.access === 'read-write' };
  }

  /** The devices through which a volume can be written to now. */
  writersOf(volumeId: string): WorldDevice[] {
    return this.devices.list().filter((device) => {
      const behind = this.behind(device);
      return behind?.writable === true && behind.volume.id === volumeId;
    });
  }

  /** What a guest does: the word goes to the volume's block at once. */
  write(vm: string, slot: string, block: number, word: string): void {
    const device = this.devices.get(`${vm}.${slot}`);
    const behind = device && this.behind(device);
    if (behind?.writable !== true) throw new Error(`${vm} cannot write to ${slot}`);
    const blocks = [...behind.volume.blocks];
    while (blocks.length <= block) blocks.push('');
    blocks[block] = word;
    this.volumes.put(behind.volume.id, { ...behind.volume, blocks });
  }
}
