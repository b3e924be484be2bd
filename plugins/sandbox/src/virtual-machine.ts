import type { AttachDeviceRequest, AttachedDevice, DetachResult, Logger } from '@vbs/core';
import { isVbsError, VbsError } from '@vbs/core';
import pLimit from 'p-limit';
import type { SandboxConfig, VmConfig } from './config.js';
import { SandboxDisk } from './disk.js';
import { Gate } from './gate.js';
import { deviceSource } from './nbd-source.js';
import { mostSlots, slotNames } from './slot.js';

const mostQueued = 256;
/** What a timer of Node.js can wait. */
const longestFreezeMs = 2 ** 31 - 1;

/** A VM of the sandbox: its slots, and what the hypervisor and its owner do to it, one thing at a time. */
export class VirtualMachine {
  readonly name: string;
  readonly slots: readonly string[];
  /** The guest's writes and flushes pass here; a frozen VM's wait. */
  readonly writes = new Gate();
  readonly #settings: Pick<SandboxConfig, 'withdraw' | 'ioLimitMs' | 'tls'>;
  readonly #log: Logger;
  readonly #disks = new Map<string, SandboxDisk>();
  readonly #turn = pLimit(1);
  #running: boolean;
  #thawTimer: NodeJS.Timeout | undefined;

  constructor(name: string, config: VmConfig, settings: SandboxConfig, log: Logger) {
    this.name = name;
    this.slots = slotNames(config.slots ?? mostSlots);
    this.#running = config.running ?? true;
    this.#settings = settings;
    this.#log = log;
  }

  get running(): boolean {
    return this.#running;
  }

  get disks(): ReadonlyMap<string, SandboxDisk> {
    return this.#disks;
  }

  list(): readonly AttachedDevice[] {
    return [...this.#disks.values()].map(({ spec, isLost }) => ({
      vm: this.name,
      slot: spec.slot,
      source: deviceSource(spec.uri),
      access: spec.access,
      state: isLost ? 'changing' : 'attached',
    }));
  }

  slotOf(uri: string): string | undefined {
    return [...this.#disks.values()].find((disk) => disk.spec.uri === uri)?.spec.slot;
  }

  /** The disk in a slot. @throws FAILED_PRECONDITION: it has another source. */
  diskFrom(slot: string, uri: string): SandboxDisk | undefined {
    const disk = this.#disks.get(slot);
    if (disk === undefined || disk.spec.uri === uri) return disk;
    throw new VbsError('FAILED_PRECONDITION', `Slot ${slot} of VM ${this.name} holds another disk.`, {
      context: { slot, vm: this.name, holds: disk.spec.uri },
    });
  }

  /** Puts a disk in; a running VM connects at once, a stopped one when it starts. */
  attach(signal: AbortSignal, request: AttachDeviceRequest, uri: string): Promise<void> {
    return this.#inTurn(signal, async () => {
      const { slot, access, sizeBytes } = request;
      const there = this.diskFrom(slot, uri);
      if (there !== undefined) return this.#attachAgain(signal, there, request);
      const ioLimitMs = this.#settings.ioLimitMs ?? 10_000;
      const disk = new SandboxDisk({ vm: this.name, slot, uri, access, sizeBytes, ioLimitMs, tls: this.#settings.tls }, this.#log);
      if (this.#running) await disk.connect(signal);
      this.#disks.set(slot, disk);
    });
  }

  async #attachAgain(signal: AbortSignal, disk: SandboxDisk, { access, slot }: AttachDeviceRequest): Promise<void> {
    const context = { slot, vm: this.name };
    if (disk.spec.access !== access) {
      throw new VbsError('FAILED_PRECONDITION', `Slot ${slot} of VM ${this.name} has this disk as ${disk.spec.access}.`, { context });
    }
    if (disk.detachAsked) {
      throw new VbsError('FAILED_PRECONDITION', `The guest of VM ${this.name} was asked to let ${slot} go; wait until it has.`, {
        context,
      });
    }
    if (this.#running) await disk.connect(signal);
  }

  /** Takes a disk out, or asks the guest that is busy with it. */
  detach(signal: AbortSignal, slot: string, uri: string): Promise<DetachResult> {
    return this.#inTurn(signal, async () => {
      const disk = this.diskFrom(slot, uri);
      if (disk === undefined) return 'detached';
      if (disk.busy && this.#running) {
        if (this.#settings.withdraw === true) return 'refused';
        disk.detachAsked = true;
        return 'requested';
      }
      await this.#takeOut(disk);
      return 'detached';
    });
  }

  extend(signal: AbortSignal, slot: string, uri: string): Promise<number> {
    return this.#inTurn(signal, async () => {
      const disk = this.diskFrom(slot, uri);
      if (disk !== undefined) return disk.resize(signal);
      throw new VbsError('NOT_FOUND', `VM ${this.name} has no disk ${slot}.`, { context: { slot, vm: this.name } });
    });
  }

  /** Makes every disk durable and holds back writes and flushes until {@link thaw} or the limit. @throws OUT_OF_RANGE: the limit. */
  async freeze(signal: AbortSignal, limitMs: number): Promise<void> {
    if (!Number.isInteger(limitMs) || limitMs < 1 || limitMs > longestFreezeMs) {
      throw new VbsError('OUT_OF_RANGE', `A VM can be frozen for 1 to ${longestFreezeMs} ms, not for ${limitMs}.`, {
        context: { field: 'limitMs' },
      });
    }
    return this.#inTurn(signal, async () => {
      await this.writes.close();
      try {
        for (const disk of this.#disks.values()) await disk.sync();
        refuseAborted(signal);
      } catch (error) {
        this.#thaw();
        throw error;
      }
      clearTimeout(this.#thawTimer);
      this.#thawTimer = setTimeout(() => {
        this.#log.warn({ vm: this.name }, 'the VM was frozen for its longest time, and is thawed');
        this.#thaw();
      }, limitMs).unref();
    });
  }

  thaw(signal: AbortSignal): Promise<void> {
    return this.#inTurn(signal, async () => this.#thaw());
  }

  /** @throws what connecting a disk throws; the VM then stays stopped. */
  start(): Promise<void> {
    return this.#inTurn(undefined, async () => {
      if (this.#running) return;
      const limit = AbortSignal.timeout(this.#settings.ioLimitMs ?? 10_000);
      try {
        for (const disk of this.#disks.values()) await disk.connect(limit);
      } catch (error) {
        for (const disk of this.#disks.values()) await disk.drop();
        throw error;
      }
      this.#running = true;
    });
  }

  /**
   * Shuts the VM down: its disks are flushed and stay in their slots, but those that the guest was asked to let go.
   *
   * @throws what flushing a disk throws; the VM is stopped all the same.
   */
  stop(): Promise<void> {
    return this.#inTurn(undefined, async () => {
      if (!this.#running) return;
      this.#thaw();
      this.#running = false;
      const failures: unknown[] = [];
      for (const disk of [...this.#disks.values()]) {
        disk.busy = false;
        await disk.disconnect().catch(async (error: unknown) => {
          failures.push(error);
          await disk.drop();
        });
        if (disk.detachAsked) await this.#takeOut(disk);
      }
      if (failures.length > 0) throw failures[0];
    });
  }

  /** The guest is busy with a disk: it will not let go when it is asked. */
  hold(slot: string): Promise<void> {
    return this.#inTurn(undefined, async () => {
      this.disk(slot).busy = true;
    });
  }

  /** The guest is done with a disk; if it was asked to let go, the disk is out when this ends. */
  letGo(slot: string): Promise<void> {
    return this.#inTurn(undefined, async () => {
      const disk = this.disk(slot);
      disk.busy = false;
      if (disk.detachAsked) await this.#takeOut(disk);
    });
  }

  /** @throws NOT_FOUND */
  disk(slot: string): SandboxDisk {
    const disk = this.#disks.get(slot);
    if (disk !== undefined) return disk;
    throw new VbsError('NOT_FOUND', `VM ${this.name} has no disk ${slot}.`, { context: { device: slot, vm: this.name } });
  }

  #thaw(): void {
    clearTimeout(this.#thawTimer);
    this.#thawTimer = undefined;
    this.writes.open();
  }

  async #takeOut(disk: SandboxDisk): Promise<void> {
    await disk.takeOut();
    this.#disks.delete(disk.spec.slot);
  }

  #inTurn<T>(signal: AbortSignal | undefined, act: () => Promise<T>): Promise<T> {
    if (this.#turn.pendingCount >= mostQueued) {
      throw new VbsError('RESOURCE_EXHAUSTED', `VM ${this.name} has ${mostQueued} calls waiting already.`);
    }
    return this.#turn(() => {
      if (signal !== undefined) refuseAborted(signal);
      return act();
    });
  }
}

function refuseAborted({ aborted, reason }: AbortSignal): void {
  if (!aborted) return;
  throw isVbsError(reason) ? reason : new VbsError('ABORTED', 'The call was cancelled before it changed anything.', { cause: reason });
}
