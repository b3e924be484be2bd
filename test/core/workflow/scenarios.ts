import { strict as assert } from 'node:assert';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Attachment, CallOptions, Snapshot, Volume } from '@vbs/core';
import { attachments } from '@vbs/core/internal/metadata/attachments.js';
import { exportsTable } from '@vbs/core/internal/metadata/exports.js';
import { volumes } from '@vbs/core/internal/metadata/volumes.js';
import { blockBytes, type WorldOptions } from '../../support/world/world.js';
import type { WorldStore } from '../../support/world/world-store.js';

/** What one case works with: a store that it shares, and a VM, a name and resources of its own. */
export interface Case extends WorldStore {
  /** The comment of every volume and snapshot of the case. */
  readonly name: string;
  readonly vm: string;
  /** Does something that is no part of what is tried; on a slow machine it may take more than one try. */
  readonly calmly: <T>(act: (options: CallOptions) => Promise<T>) => Promise<T>;
}

/** One workflow, as something to be tried: what it needs, the operation, and how to see and repeat it. */
export interface Scenario<T = unknown> {
  readonly title: string;
  readonly world?: WorldOptions;
  /** It is begun by the look for attachments that are lost, not by a call. */
  readonly isRestore?: true;
  /** A failure leaves the volume in `error`, as it was before, with what has to be done again. */
  readonly failsInError?: true;
  prepare(c: Case): Promise<T>;
  /** The operation itself; ends when it has ended or is stuck. */
  act(c: Case, prepared: T, options: CallOptions): Promise<unknown>;
  /** The operation again, whatever became of the first: it must succeed. */
  again(c: Case, prepared: T): Promise<void>;
}

const size = 2 * blockBytes;
const slot = 'xvdb';

const create = ({ store, name, calmly }: Case): Promise<Volume> =>
  calmly((options) => store.createVolume({ size, comment: name }, options));
const attach = ({ store, vm, calmly }: Case, volumeId: string): Promise<Attachment> =>
  calmly((options) => store.attachVolume({ volumeId, vmmHost: 'node', vmId: vm, device: slot }, options));
const detach = ({ store, calmly }: Case, volumeId: string): Promise<Attachment> =>
  calmly((options) => store.detachVolume({ volumeId }, options));

async function attached(c: Case): Promise<Volume> {
  const volume = await create(c);
  await attach(c, volume.id);
  c.world.write(c.vm, slot, 1, `${c.name} in block 1`);
  return volume;
}

async function snapshot(c: Case): Promise<Snapshot> {
  const volume = await attached(c);
  await detach(c, volume.id);
  return c.calmly((options) => c.store.createSnapshot({ volumeId: volume.id, comment: c.name }, options));
}

const present = async ({ store }: Case, volumeId: string): Promise<Volume | undefined> =>
  (await store.describeVolumes({ limit: 1000 })).items.find(({ id }) => id === volumeId);

/** A volume from a snapshot has all of its bytes. */
async function fromSnapshot(c: Case, source: Snapshot): Promise<void> {
  const volume = await c.calmly((options) => c.store.createVolume({ snapshotId: source.id, comment: c.name }, options));
  assert.deepEqual(c.world.volumes.get(volume.id)?.blocks[1], `${c.name} in block 1`);
}

const createFromSnapshot = (title: string, world: WorldOptions): Scenario<Snapshot> => ({
  title,
  world,
  prepare: snapshot,
  act: ({ store, name }, { id }, options) => store.createVolume({ snapshotId: id, comment: name }, options),
  again: fromSnapshot,
});

const blank: Scenario<void> = {
  title: 'create-volume',
  prepare: async () => undefined,
  act: ({ store, name }, _, options) => store.createVolume({ size, comment: name }, options),
  async again(c) {
    await create(c);
  },
};

const deleteVolume: Scenario<Volume> = {
  title: 'delete-volume',
  prepare: create,
  act: ({ store }, { id }, options) => store.deleteVolume({ volumeId: id }, options),
  async again(c, { id }) {
    const volumeId = (await present(c, id))?.id ?? (await create(c)).id;
    await c.calmly((options) => c.store.deleteVolume({ volumeId }, options));
    assert.equal(await present(c, volumeId), undefined);
  },
};

const createSnapshot: Scenario<Volume> = {
  title: 'create-snapshot',
  async prepare(c) {
    const volume = await attached(c);
    await detach(c, volume.id);
    return volume;
  },
  act: ({ store, name }, { id }, options) => store.createSnapshot({ volumeId: id, comment: name }, options),
  async again(c, { id }) {
    const taken = await c.calmly((options) => c.store.createSnapshot({ volumeId: id, comment: c.name }, options));
    assert.equal(c.world.snapshots.get(taken.id)?.blocks[1], `${c.name} in block 1`);
  },
};

const deleteSnapshot: Scenario<Snapshot> = {
  title: 'delete-snapshot',
  prepare: snapshot,
  act: ({ store }, { id }, options) => store.deleteSnapshot({ snapshotId: id }, options),
  async again(c, { id, volumeId }) {
    const { items } = await c.store.describeSnapshots({ limit: 1000 });
    const left =
      items.find((found) => found.id === id) ??
      (await c.calmly((options) => c.store.createSnapshot({ volumeId, comment: c.name }, options)));
    await c.calmly((options) => c.store.deleteSnapshot({ snapshotId: left.id }, options));
  },
};

const attachVolume: Scenario<Volume> = {
  title: 'attach-volume',
  prepare: create,
  act: ({ store, vm }, { id }, options) => store.attachVolume({ volumeId: id, instanceId: `i-${vm}`, device: slot }, options),
  async again(c, { id }) {
    if ((await present(c, id))?.state === 'in-use') await detach(c, id);
    await attach(c, id);
    c.world.write(c.vm, slot, 0, 'written after all');
    assert.equal(c.world.volumes.get(id)?.blocks[0], 'written after all');
  },
};

const detachScenario = (title: string, request: { readonly force?: boolean; readonly nodeIsDead?: boolean }): Scenario<Volume> => ({
  title,
  prepare: attached,
  act: ({ store }, { id }, options) => store.detachVolume({ volumeId: id, ...request }, options),
  async again(c, { id }) {
    assert.equal(c.world.volumes.get(id)?.blocks[1], `${c.name} in block 1`);
    // What a forced detach could not reach on the node is the operator's to clear, as the attachment's reason says.
    if ((await present(c, id))?.state === 'available') {
      for (const { exportId } of (await c.store.describeAttachments({ volumeId: id })).items)
        if (exportId !== null) c.world.connections.remove(exportId);
      c.world.devices.remove(`${c.vm}.${slot}`);
      await attach(c, id);
    }
    await c.calmly((options) => c.store.detachVolume({ volumeId: id, ...(request.nodeIsDead === true ? {} : request) }, options));
    assert.equal((await present(c, id))?.state, 'available');
  },
});

const extend = (title: string, prepare: Scenario<Volume>['prepare']): Scenario<Volume> => ({
  title,
  prepare,
  act: ({ store }, { id }, options) => store.extendVolume({ volumeId: id, size: 2 * size }, options),
  async again(c, { id }) {
    const extended = await c.calmly((options) => c.store.extendVolume({ volumeId: id, size: 3 * size }, options));
    assert.equal(extended.sizeBytes, 3 * size);
    assert.equal(c.world.volumes.get(id)?.sizeBytes, 3 * size);
  },
});

/** Something takes the attachment away outside; the store finds that by itself, and puts it back. */
const restore = (title: string, lose: (c: Case, volumeId: string) => Promise<void>): Scenario<Volume> => ({
  title,
  isRestore: true,
  prepare: attached,
  async act(c, { id }) {
    await lose(c, id);
    for (let tries = 0; tries < 400; tries += 1) {
      const newest = (await restores(c, id)).filter(({ state }) => state !== 'failed').at(-1);
      if (newest !== undefined && newest.state !== 'running') return;
      await pause(25);
    }
    throw new Error(`the attachment of ${id} was not restored`);
  },
  async again(c, { id }) {
    const before = await restored(c, id);
    await lose(c, id);
    for (let tries = 0; tries < 400 && (await restored(c, id)) <= before; tries += 1) await pause(25);
    c.world.write(c.vm, slot, 0, 'written after the restore');
  },
});

const attachmentOf = new Map<string, string>();

async function exportOf({ store }: Case, volumeId: string): Promise<string> {
  const [attachment] = (await store.describeAttachments({ volumeId, state: 'attached' })).items;
  if (attachment === undefined) throw new Error(`${volumeId} is not attached`);
  attachmentOf.set(volumeId, attachment.id);
  const { exportId } = attachment;
  if (exportId === null) throw new Error(`${volumeId} has no export`);
  return exportId;
}

/** The target daemon was started again, and knows the export no more. */
async function loseExport(c: Case, volumeId: string): Promise<void> {
  const exportId = await exportOf(c, volumeId);
  const connection = c.world.connections.get(exportId);
  c.world.exports.remove(exportId);
  if (connection !== undefined) c.world.connections.put(exportId, { ...connection, session: false });
}

/** The node was booted again: connections and devices are gone. For a world with one attachment. */
async function boot(c: Case, volumeId: string): Promise<void> {
  c.world.connections.remove(await exportOf(c, volumeId));
  c.world.devices.remove(`${c.vm}.${slot}`);
  c.world.settings.put('boot-id', randomUUID());
}

/** In a store for each case, since all VMs of a world are on one node. */
export const restoreAfterBoot = restore('restore-attachment after a boot of the node', boot);

async function restores({ store }: Case, volumeId: string) {
  const { items } = await store.describeOperations({ limit: 1000, resourceId: attachmentOf.get(volumeId) ?? '' });
  return items.filter(({ kind }) => kind === 'restore-attachment');
}

const restored = async (c: Case, volumeId: string): Promise<number> =>
  (await restores(c, volumeId)).filter(({ state }) => state === 'succeeded').length;

const resetState: Scenario<Volume> = {
  title: 'reset-state',
  failsInError: true,
  async prepare(c) {
    const volume = await attached(c);
    await detach(c, volume.id);
    await markError(c, volume.id);
    return volume;
  },
  act: ({ store }, { id }, options) => store.resetState({ volumeId: id }, options),
  async again(c, { id }) {
    if ((await present(c, id))?.state === 'available') await markError(c, id);
    assert.equal((await c.calmly((options) => c.store.resetState({ volumeId: id }, options))).state, 'available');
  },
};

/** As a detach leaves it that took everything away and was then abandoned. */
async function markError({ metadata }: Case, volumeId: string): Promise<void> {
  await metadata.transaction(async ({ trx }) => {
    const [attachment] = await attachments.list(trx, (query) => query.where({ volume_id: volumeId }));
    if (attachment === undefined) throw new Error(`${volumeId} was never attached`);
    await attachments.update(trx, attachment.id, { state: 'detaching' });
    await exportsTable.update(trx, attachment.exportId, { state: 'live' });
    await volumes.update(trx, volumeId, { state: 'error', reason: 'abandoned' });
  });
}

/** Every workflow of the core. */
export const scenarios = [
  blank,
  createFromSnapshot('create-volume by clone', { instantClone: true }),
  createFromSnapshot('create-volume by populate', {}),
  deleteVolume,
  createSnapshot,
  deleteSnapshot,
  attachVolume,
  detachScenario('detach-volume', {}),
  detachScenario('detach-volume by force', { force: true }),
  detachScenario('detach-volume from a dead node', { force: true, nodeIsDead: true }),
  extend('extend-volume', create),
  extend('extend-volume under a guest', attached),
  restore('restore-attachment', loseExport),
  resetState,
] as const as readonly Scenario[];

/** The longer half: in a file of their own they run beside the others. */
export const attachmentScenarios: ReadonlySet<string> = new Set([
  'attach-volume',
  'detach-volume',
  'detach-volume by force',
  'restore-attachment',
]);
