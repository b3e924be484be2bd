import { type ConnectionRequest, type ConnectRequest, isId, VbsError } from '@vbs/core';

/** Where on the Ethernet segment an export is, and how this node's kernel calls it. */
export interface AoeAddress {
  readonly shelf: number;
  readonly slot: number;
  /** `e1.1`: the connection's key and the kernel's name. */
  readonly key: string;
  /** `/dev/etherd/e1.1`. It follows from the address alone, and the store gives an address to one export at a time. */
  readonly devicePath: string;
  /** `/sys/block/etherd!e1.1`. */
  readonly sysfs: string;
}

/** One request, checked. Changes are guarded by the attachment. */
export interface WantedConnection extends AoeAddress {
  readonly attachmentId: string;
}

const highestShelf = 65_534;
const highestSlot = 254;
/** Linux takes an answer from this shelf for a fault of wiring, and drops it (drivers/block/aoe/aoecmd.c). */
const ignoredShelf = 4_095;
const sectorBytes = 512;
const kernelName = /^etherd!e(\d{1,5})\.(\d{1,3})$/;

export function addressOf(shelf: number, slot: number): AoeAddress {
  const key = `e${shelf}.${slot}`;
  return { shelf, slot, key, devicePath: `/dev/etherd/${key}`, sysfs: `/sys/block/etherd!${key}` };
}

/** The address of a name in /sys/block; undefined for a device of another kind. */
export function addressFromSysfs(name: string): AoeAddress | undefined {
  const [, shelf, slot] = kernelName.exec(name) ?? [];
  return shelf === undefined || slot === undefined ? undefined : addressOf(Number(shelf), Number(slot));
}

/** @throws INVALID_ARGUMENT: `context.field` names what is not legal. */
export function wantedConnection({ attachmentId, connection }: ConnectionRequest<'aoe'>): WantedConnection {
  if (typeof attachmentId !== 'string' || !isId('attachment', attachmentId)) {
    throw illegal('attachmentId', 'must be the id of an attachment, att- and 17 hex digits');
  }
  const { protocol, shelf, slot, key } = connection;
  if (protocol !== 'aoe') throw illegal('connection.protocol', 'must be aoe', attachmentId);
  if (!isUpTo(shelf, highestShelf)) throw illegal('connection.shelf', `must be a whole number of 0 to ${highestShelf}`, attachmentId);
  if (shelf === ignoredShelf) throw illegal('connection.shelf', `must not be ${ignoredShelf}: Linux ignores that shelf`, attachmentId);
  if (!isUpTo(slot, highestSlot)) throw illegal('connection.slot', `must be a whole number of 0 to ${highestSlot}`, attachmentId);
  const address = addressOf(shelf, slot);
  if (key !== address.key) throw illegal('connection.key', `must be ${address.key}, as shelf and slot say`, attachmentId);
  return { ...address, attachmentId };
}

/** @throws INVALID_ARGUMENT */
export function requireSize({ attachmentId, sizeBytes }: Pick<ConnectRequest<'aoe'>, 'attachmentId' | 'sizeBytes'>): void {
  if (Number.isSafeInteger(sizeBytes) && sizeBytes > 0 && sizeBytes % sectorBytes === 0) return;
  throw illegal('sizeBytes', `must be a positive multiple of ${sectorBytes}: a disk has whole sectors`, attachmentId);
}

/** @throws INVALID_ARGUMENT */
export function requireAccess({ attachmentId, access }: Pick<ConnectRequest<'aoe'>, 'attachmentId' | 'access'>): void {
  if (access !== 'read-write' && access !== 'read-only') throw illegal('access', 'must be read-write or read-only', attachmentId);
}

function isUpTo(value: unknown, most: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most;
}

function illegal(field: string, message: string, attachmentId?: string): VbsError {
  const resource = attachmentId === undefined ? {} : { resource: attachmentId };
  return new VbsError('INVALID_ARGUMENT', `${field} ${message}.`, { ...resource, context: { field } });
}
