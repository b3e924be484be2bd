import { createHash } from 'node:crypto';
import { type Call, type StoreIdentity, VbsError } from '@vbs/core';
import type { Lvm } from './lvm.js';
import type { GroupReport, LogicalVolume } from './parse-report.js';
import { backendStart, backendTag, epochsIn, epochTag, storesIn, storeTag } from './tags.js';

/** What one look at the pool of a backend tells: the group, and its thin pool where it has one. */
export interface PoolView {
  readonly group: GroupReport;
  readonly thinPool: LogicalVolume | undefined;
}

/** A volume group, or a thin pool in it, that one backend of one store owns by the group's tags (safety D1). */
export class LvmPool {
  readonly storeTag: string;
  /** The resource that stands for the group's own tags: this store's, since a group made anew under an old name begins its epochs anew. */
  readonly guard: string;
  readonly #backendTag: string;

  constructor(
    readonly lvm: Lvm,
    private readonly store: StoreIdentity,
    instance: string,
  ) {
    this.storeTag = storeTag(store.id);
    this.guard = `lvm-${createHash('sha256').update(`${store.id}/${lvm.settings.volumeGroup}`).digest('hex').slice(0, 16)}`;
    this.#backendTag = backendTag(lvm.settings.thinPool, instance);
  }

  /**
   * Looks at the pool for the first time; marks it, if the store has never seen it and nobody has used it.
   * @throws FAILED_PRECONDITION: it is another's, or its thin pool is none that can be used. UNAVAILABLE: it is not there, or its mark is not.
   */
  async open(call: Call): Promise<PoolView> {
    const group = await this.lvm.look(call);
    if (!this.store.knowsPool) await this.#mark(call, group);
    return await this.see(call);
  }

  /** The pool, seen to be this store's: what is absent from it then is absent. @throws UNAVAILABLE, FAILED_PRECONDITION. */
  async see(call: Call): Promise<PoolView> {
    const group = await this.lvm.look(call);
    this.#requireOwner(group);
    if (!group.tags.includes(this.storeTag) || !group.tags.includes(this.#backendTag)) throw this.#unmarked();
    return { group, thinPool: this.#thinPoolOf(group) };
  }

  /** Whether an LV is this store's. */
  owns({ tags }: LogicalVolume): boolean {
    return tags.includes(this.storeTag);
  }

  async markEpoch(call: Call, epoch: number): Promise<number> {
    const marks = epochsIn((await this.see(call)).group.tags);
    const highest = marks.at(-1) ?? 0;
    if (highest >= epoch) return highest;
    const values = { epochTag: epochTag(epoch), oldEpochTag: epochTag(marks[0] ?? 0) };
    await this.lvm.change(call, this.guard, 'raiseEpoch', values);
    return epoch;
  }

  async #mark(call: Call, group: GroupReport): Promise<void> {
    this.#requireOwner(group);
    if (group.tags.includes(this.storeTag)) {
      if (!group.tags.includes(this.#backendTag)) await this.lvm.change(call, this.guard, 'markBackend', { backendTag: this.#backendTag });
      return;
    }
    const used = group.volumes.find(({ tags }) => storesIn(tags).length > 0);
    if (used !== undefined) {
      const message = `The volume group ${this.#name} bears no store's tag, but ${used.name} in it does: put the group's tag back if it is this store's (vgchange --addtag), or configure another group.`;
      throw new VbsError('FAILED_PRECONDITION', message, { context: { volumeGroup: this.#name } });
    }
    const values = { storeTag: this.storeTag, backendTag: this.#backendTag, epochTag: epochTag(0) };
    await this.lvm.change(call, this.guard, 'markGroup', values);
  }

  #requireOwner({ tags }: GroupReport): void {
    const context = { volumeGroup: this.#name, storeId: this.store.id };
    const others = storesIn(tags).filter((id) => id !== this.store.id);
    if (others.length > 0) {
      const message = `The volume group ${this.#name} belongs to another store (${others.join(', ')}), not to ${this.store.id}: configure another group, or start the store that owns it.`;
      throw new VbsError('FAILED_PRECONDITION', message, { context });
    }
    const start = backendStart(this.lvm.settings.thinPool);
    const backend = tags.find((tag) => tag.startsWith(start) && tag !== this.#backendTag);
    if (backend !== undefined) {
      const message = `The volume group ${this.#name} has the volumes of this store's backend ${backend.slice(start.length)}: give each backend a group or a thin pool of its own, or its old name back.`;
      throw new VbsError('FAILED_PRECONDITION', message, { context });
    }
  }

  #thinPoolOf({ volumes }: GroupReport): LogicalVolume | undefined {
    const { thinPool } = this.lvm.settings;
    if (thinPool === undefined) return undefined;
    const context = { volumeGroup: this.#name, thinPool };
    const found = volumes.find(({ name }) => name === thinPool);
    if (found === undefined) {
      const message = `The volume group ${this.#name} has no thin pool ${thinPool}: make it (lvcreate --type thin-pool), or put it back.`;
      throw new VbsError('UNAVAILABLE', message, { context });
    }
    const refuse = (message: string): VbsError => new VbsError('FAILED_PRECONDITION', `${this.#name}/${thinPool} ${message}`, { context });
    if (found.attributes.type !== 'thin-pool') throw refuse('is no thin pool: configure the name of one.');
    if (!found.attributes.zeroes) {
      throw refuse('does not zero new blocks, so that a volume would show what another held: lvchange --zero y.');
    }
    return found;
  }

  #unmarked(): VbsError {
    const message = `The volume group ${this.#name} does not bear the tags of this store and backend, although the store has used it: put the tags back (vgchange --addtag ${this.storeTag} --addtag ${this.#backendTag}). It is not marked anew.`;
    return new VbsError('UNAVAILABLE', message, { context: { volumeGroup: this.#name, missing: 'tags' } });
  }

  get #name(): string {
    return this.lvm.settings.volumeGroup;
  }
}
