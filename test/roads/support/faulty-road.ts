import { createHash } from 'node:crypto';
import type { BlockStore, CallOptions, Operation, VbsError } from '@vbs/core';
import type { ExecutionContext } from 'ava';
import { type ToolFault, toolFaults } from '../../stand-ins/frame/faults.js';
import { until } from '../../support/store.js';
import { type OpenOptions, Road, type RoadKind, type RoadOptions, volumeBytes } from './road.js';

/** No operation of a road has so many commands. */
const mostCommands = 80;

/** One fault, and where it comes. */
export interface Case {
  readonly nth: number;
  readonly fault: ToolFault;
  readonly label: string;
}

/** A volume that stays in a slot of a VM. */
interface Neighbour {
  readonly volumeId: string;
  readonly vm: string;
  readonly slot: string;
}

/** How an operation ended, after recovery where that was needed. */
export interface Ending {
  /** What the caller was told. */
  readonly error: VbsError | undefined;
  readonly operation: Operation | undefined;
}

/** The bytes that a volume holds in these tests: none is like another's. */
export function bytesOf(volumeId: string): Buffer {
  const digest = createHash('sha256').update(volumeId).digest();
  return Buffer.alloc(volumeBytes, digest);
}

/**
 * A road with its store, a volume that something is done to, and two beside it that stay attached all the time: one in the same VM, one in
 * the same slot of the other.
 */
export class FaultyRoad {
  private constructor(
    readonly t: ExecutionContext,
    readonly road: Road,
    readonly store: BlockStore,
    readonly volumeId: string,
    readonly neighbours: readonly Neighbour[],
    /** What is left outside while only the neighbours are attached. */
    readonly baseline: readonly string[],
  ) {}

  static async make(t: ExecutionContext, kind: RoadKind, options: RoadOptions & OpenOptions = {}): Promise<FaultyRoad> {
    const road = await Road.make(t, kind, options);
    const store = await road.open(options);
    t.teardown(() => store.close());
    const wait = { wait: true } as const;
    const { vms } = road;
    const [first, second] = vms.ids;
    const neighbours: Neighbour[] = [];
    for (const [vm, slot] of [
      [first, vms.slot(1)],
      [second, vms.slot(0)],
    ] as const) {
      const { id: volumeId } = await store.createVolume({ size: volumeBytes }, wait);
      neighbours.push({ volumeId, vm, slot });
      await store.attachVolume({ volumeId, vmmHost: 'node1', vmId: vm, device: slot }, wait);
      await road.disk(slot, vm).write(0, bytesOf(volumeId));
    }
    const { id: volumeId } = await store.createVolume({ size: volumeBytes }, wait);
    const made = new FaultyRoad(t, road, store, volumeId, neighbours, road.leftovers());
    await made.attach();
    await road.disk(made.slot).write(0, bytesOf(volumeId));
    await made.detach();
    return made;
  }

  /** Of the first VM, where the volume comes. */
  get slot(): string {
    return this.road.vms.slot(0);
  }

  attach(options: CallOptions = {}, volumeId = this.volumeId): Promise<unknown> {
    const [vmId] = this.road.vms.ids;
    return this.store.attachVolume({ volumeId, vmmHost: 'node1', vmId, device: this.slot }, { wait: true, ...options });
  }

  detach(options: CallOptions = {}, volumeId = this.volumeId): Promise<unknown> {
    return this.store.detachVolume({ volumeId }, { wait: true, ...options });
  }

  /** Acts once for each command and each fault, until there is no such command any more. Answers how many commands there were. */
  async eachFault(act: (given: Case) => Promise<void>, from = 1): Promise<number> {
    let commands = 0;
    for (const fault of toolFaults) {
      let met = true;
      for (let nth = from; met; nth++) {
        if (nth > mostCommands) throw new Error(`more than ${mostCommands} commands`);
        const before = this.road.faults.ran.length;
        await act({ nth, fault, label: '' });
        met = this.#met;
        if (!met) commands = Math.max(commands, nth - 1);
        else if (this.road.faults.ran.length === before) throw new Error('nothing ran');
      }
    }
    return commands;
  }

  /** Acts while a command meets a fault; then lets recovery end what was begun. */
  async meet({ nth, fault }: Case, act: (options: CallOptions) => Promise<unknown>): Promise<Ending & { readonly label: string }> {
    const { faults } = this.road;
    const from = faults.ran.length;
    faults.arm(nth, fault);
    let operationId: string | undefined;
    let error: VbsError | undefined;
    try {
      await act({ wait: true, onOperation: (id) => (operationId = id) });
    } catch (thrown) {
      error = thrown as VbsError;
    }
    this.#met = faults.met > 0;
    const label = `${nth}. command ${fault}: ${faults.ran[from + nth - 1] ?? 'none'}`;
    const operation = operationId === undefined ? undefined : await this.ended(operationId, label);
    faults.disarm();
    if (!this.#met && error !== undefined) throw error;
    return { error, operation, label };
  }
  #met = false;

  /** An operation that is neither running nor stuck any more. */
  async ended(operationId: string, label: string): Promise<Operation> {
    let found: Operation | undefined;
    await until(`the operation ends (${label}; ${JSON.stringify(found)})`, async () => {
      found = (await this.store.describeOperations({ ids: [operationId] })).items[0];
      return found !== undefined && found.state !== 'running' && found.state !== 'stuck';
    }).catch(() => {
      throw new Error(`${label}: the operation does not end: ${JSON.stringify(found)}`);
    });
    if (found === undefined) throw new TypeError('no operation');
    return found;
  }

  async volumeState(volumeId = this.volumeId): Promise<string | undefined> {
    return (await this.store.describeVolumes({ ids: [volumeId] })).items[0]?.state;
  }

  /** The disk that is in the VM's slot now bears this volume's bytes, and each neighbour's its own. */
  async requireBytes(label: string, volumeId = this.volumeId, content = volumeId): Promise<void> {
    const bytes = await this.road.bytes(this.slot);
    this.t.true(bytes.subarray(0, volumeBytes).equals(bytesOf(content)), `${label}: bytes of ${volumeId}`);
    await this.requireNeighbours(label);
  }

  async requireNeighbours(label: string): Promise<void> {
    for (const { volumeId, vm, slot } of this.neighbours) {
      this.t.true((await this.road.bytes(slot, vm)).equals(bytesOf(volumeId)), `${label}: bytes of ${vm} ${slot}`);
    }
  }

  isNeighbour(id: string): boolean {
    return this.neighbours.some(({ volumeId }) => volumeId === id);
  }

  requireNothingLeft(label: string): void {
    this.t.deepEqual(this.road.leftovers(), this.baseline, label);
  }
}
