import { isDeepStrictEqual } from 'node:util';
import { attachments } from '@vbs/core/internal/metadata/attachments.js';
import { exportsTable } from '@vbs/core/internal/metadata/exports.js';
import type { MetadataStore } from '@vbs/core/internal/metadata/metadata-store.js';
import { snapshots } from '@vbs/core/internal/metadata/snapshots.js';
import { volumes } from '@vbs/core/internal/metadata/volumes.js';
import { devicePath, exportOfPath, type World } from './world.js';

/** What the metadata, at rest, are to say about some volumes and snapshots; all of them unless told. */
export interface AgreementOptions {
  readonly volumeIds?: ReadonlySet<string>;
  readonly snapshotIds?: ReadonlySet<string>;
}

const any = { has: () => true };

/**
 * Compares the metadata of a store where nothing runs with the world, kind by kind, in both directions. Answers a sentence for
 * each thing on which they do not agree, and each breach that the world wrote down.
 */
export async function disagreements(metadata: MetadataStore, world: World, options: AgreementOptions = {}): Promise<string[]> {
  const { volumeIds = any, snapshotIds = any } = options;
  const found: string[] = [...world.violations.read()];
  const { db } = metadata;

  const knownVolumes = (await volumes.list(db, (query) => query)).filter(({ id }) => volumeIds.has(id));
  const worldVolumes = new Map(world.volumes.list().map((volume) => [volume.id, volume]));
  const live = await attachments.list(db, (query) => query.whereNot('state', 'detached'));
  for (const { id, state, sizeBytes, locator } of knownVolumes) {
    const there = worldVolumes.get(id);
    const attached = live.filter(({ volumeId }) => volumeId === id);
    if (state === 'error') {
      if (there !== undefined) found.push(`${id} is error, and the pool has it`);
    } else if (state !== 'available' && state !== 'in-use') found.push(`${id} rests as ${state}`);
    else if (there === undefined) found.push(`${id} is ${state}, and the pool has it not`);
    else if (there.sizeBytes !== sizeBytes) found.push(`${id} has ${there.sizeBytes} bytes, the metadata say ${sizeBytes}`);
    else if (there.fill === 'to-do') found.push(`${id} is ${state}, and not whole`);
    else if (!isDeepStrictEqual(locator, { kind: 'block', path: `/world/${id}` })) found.push(`${id} has a wrong locator`);
    if ((state === 'in-use') !== attached.length > 0) found.push(`${id} is ${state} with ${attached.length} attachments`);
  }

  const knownSnapshots = (await snapshots.list(db, (query) => query)).filter(({ id }) => snapshotIds.has(id));
  for (const { id, state } of knownSnapshots) {
    const there = world.snapshots.get(id) !== undefined;
    if (state !== 'completed' && state !== 'error') found.push(`${id} rests as ${state}`);
    if (there !== (state === 'completed')) found.push(`${id} is ${state}, and the pool ${there ? 'has it' : 'has it not'}`);
  }

  const wanted = new Set<string>();
  for (const { id, volumeId, state, exportId, vmKey, slot, access, source } of live) {
    if (!volumeIds.has(volumeId)) continue;
    wanted.add(exportId);
    if (state !== 'attached') found.push(`${id} rests as ${state}`);
    const device = world.devices.get(`${vmKey}.${slot}`);
    const behind = device && world.behind(device);
    if (device === undefined) found.push(`${id}: nothing in ${slot} of ${vmKey}`);
    else if (device.path !== devicePath(exportId) || !isDeepStrictEqual(source, { kind: 'block', path: device.path }))
      found.push(`${id}: another source`);
    else if (behind?.volume.id !== volumeId) found.push(`${id}: the way from ${slot} of ${vmKey} to ${volumeId} is broken`);
    else if (behind.writable !== (access === 'read-write')) found.push(`${id}: wrong access`);
    else if (device.sizeBytes !== behind.volume.sizeBytes)
      found.push(`${id}: the guest sees ${device.sizeBytes} bytes of ${behind.volume.sizeBytes}`);
  }

  const knownExports = (await exportsTable.list(db, (query) => query)).filter(({ volumeId }) => volumeIds.has(volumeId));
  /** A forced detach may leave behind what it could not reach; it says so in the attachment's reason. */
  const excused = new Set(
    (await attachments.list(db, (query) => query.where({ state: 'detached' }).whereNotNull('reason')))
      .filter(({ reason }) =>
        ['detach-device: ', 'disconnect: ', 'the node was said to be dead'].some((told) => reason?.includes(told) === true),
      )
      .map(({ exportId }) => exportId),
  );
  for (const { id, state } of knownExports) {
    if ((state === 'live') !== wanted.has(id)) found.push(`${id} is ${state} in the metadata`);
    if (world.exports.get(id) !== undefined && !wanted.has(id)) found.push(`the export ${id} is left`);
    if (world.connections.get(id) !== undefined && !wanted.has(id) && !excused.has(id)) found.push(`the connection to ${id} is left`);
  }
  const ids = new Set(knownExports.map(({ id }) => id));
  for (const { path, slot, vm } of world.devices.list()) {
    const exportId = exportOfPath(path);
    if (ids.has(exportId) && !wanted.has(exportId) && !excused.has(exportId)) found.push(`${slot} of ${vm} still holds ${exportId}`);
  }
  const numbers: { export_id: string }[] = await db('numbers').where({ state: 'taken' });
  for (const { export_id: id } of numbers)
    if (ids.has(id) && !wanted.has(id) && !excused.has(id)) found.push(`the address of ${id} is still taken`);
  const held: { resource_id: string; operation_id: string }[] = await db('leases');
  for (const { resource_id: id, operation_id: operation } of held) {
    const ours = volumeIds === any ? true : volumeIds.has(id) || snapshotIds.has(id);
    if (ours) found.push(`${operation} still holds ${id}`);
  }
  return found;
}

/** What the world has and the metadata never knew: things that no operation will ever remove. */
export async function orphans(metadata: MetadataStore, world: World): Promise<string[]> {
  const { db } = metadata;
  const known = new Set([
    ...(await volumes.list(db, (query) => query)).map(({ id }) => id),
    ...(await snapshots.list(db, (query) => query)).map(({ id }) => id),
    ...(await exportsTable.list(db, (query) => query.where({ state: 'live' }))).map(({ id }) => id),
  ]);
  const there = [
    ...world.volumes.list().map(({ id }) => id),
    ...world.snapshots.list().map(({ id }) => id),
    ...world.exports.list().map(({ exportId }) => exportId),
    ...world.connections.list().map(({ exportId }) => exportId),
    ...world.devices.list().map(({ path }) => exportOfPath(path)),
  ];
  return there.filter((id) => !known.has(id)).map((id) => `${id} is an orphan`);
}
