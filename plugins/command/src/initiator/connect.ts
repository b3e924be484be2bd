import { type Call, type ConnectRequest, errorTable, toVbsError, VbsError } from '@vbs/core';
import { poll } from '../rules/poll.js';
import { clearAway } from './disconnect.js';
import { throwIfAborted, type WantedConnection } from './iscsi.js';
import type { ConnectedDisk, Parts } from './parts.js';
import { requireAlone } from './require-alone.js';

/** What a device must turn out to be. */
type Expected = Pick<ConnectRequest, 'sizeBytes' | 'access'>;

/**
 * Connects by the configured commands, over each way in turn while nobody answers, and compares what came (safety E2).
 *
 * @throws FAILED_PRECONDITION: it has another size, serial or access; it was disconnected again. What the rules say of the tool's refusal.
 */
export async function connect(call: Call, parts: Parts, wanted: WantedConnection, expected: Expected): Promise<ConnectedDisk> {
  const { attachmentId, ways } = wanted;
  requireChap(parts, wanted);
  const { disk: there, all } = await parts.listed(call, wanted);
  if (there !== undefined) {
    const disk = there.sizeBytes === undefined ? await appeared(call, parts, wanted) : there;
    return await verified(call, parts, wanted, expected, disk);
  }
  requireAlone(all, wanted);
  let refusal: VbsError | undefined;
  for (const way of ways) {
    throwIfAborted(call, `${wanted.connection.key} was given up before it was connected.`, attachmentId);
    try {
      await parts.run(call, 'connect', { ...way, ...chapOf(wanted) }, attachmentId);
      return await verified(call, parts, wanted, expected, await appeared(call, parts, wanted));
    } catch (error) {
      refusal = toVbsError(error);
      if (!parts.tools.hasChanged(call)) throw refusal;
      await undo(call, parts, wanted, refusal);
      if (refusal.code !== 'UNAVAILABLE') throw refusal;
    }
  }
  throw refusal ?? new VbsError('INTERNAL', 'There is no way to the export.');
}

async function appeared(call: Call, parts: Parts, wanted: WantedConnection): Promise<ConnectedDisk> {
  const limitMs = parts.rules.deviceTimeoutMs;
  const { attachmentId, connection } = wanted;
  const disk = await poll(call, limitMs, async () => {
    const found = (await parts.listed(call, wanted)).disk;
    return found?.sizeBytes === undefined ? undefined : found;
  });
  throwIfAborted(call, `${connection.key} was given up before its disk was there.`, attachmentId);
  if (disk === undefined) {
    throw new VbsError(
      'UNAVAILABLE',
      `The commands of connect have ended, and no disk of ${connection.key} is listed with a size after ${limitMs / 1000} s.`,
      {
        resource: attachmentId,
        context: { key: connection.key, limitMs },
      },
    );
  }
  await parts.machine.waitForPath(call, disk.devicePath, 'present', { timeLimitMs: limitMs });
  return disk;
}

async function verified(
  call: Call,
  parts: Parts,
  wanted: WantedConnection,
  { sizeBytes, access }: Expected,
  disk: ConnectedDisk,
): Promise<ConnectedDisk> {
  const { connection, attachmentId } = wanted;
  const found = { sizeBytes: disk.sizeBytes ?? null, serial: disk.serial ?? null, access: disk.isReadOnly ? 'read-only' : 'read-write' };
  const isOther = disk.serial !== connection.serial;
  const isOtherAccess = parts.rules.readOnly !== undefined && found.access !== access;
  if (disk.sizeBytes === sizeBytes && !isOther && !isOtherAccess) return disk;
  const differences = [
    ...(disk.sizeBytes === sizeBytes ? [] : [`has ${disk.sizeBytes ?? 'no'} bytes, not ${sizeBytes}`]),
    ...(isOther ? [`has the serial ${JSON.stringify(disk.serial ?? '')}, not ${JSON.stringify(connection.serial)}`] : []),
    ...(isOtherAccess ? [`is ${found.access}, not ${access}`] : []),
  ];
  const refusal = new VbsError(
    'FAILED_PRECONDITION',
    `The disk at ${connection.key} is not the volume that it must be: it ${differences.join('; it ')}.`,
    { resource: attachmentId, context: { reason: 'wrong-device', found, expected: { sizeBytes, serial: connection.serial, access } } },
  );
  await undo(call, parts, wanted, refusal);
  throw refusal;
}

/** @throws DEADLINE_EXCEEDED: what was begun could not be taken back, which a code of no change must not hide (safety A1). */
async function undo(call: Call, parts: Parts, wanted: WantedConnection, first: VbsError): Promise<void> {
  try {
    await clearAway(call, parts, wanted);
  } catch (error) {
    call.log.warn({ error: toVbsError(error).toJSON() }, `${wanted.connection.key} was not disconnected again`);
    if (errorTable[first.code].outcome === 'unknown' && first.code !== 'UNAVAILABLE') throw first;
    const message = `${first.message} What was begun could not be taken back: ${toVbsError(error).message}`;
    throw new VbsError('DEADLINE_EXCEEDED', message, { resource: wanted.attachmentId, context: first.context, cause: first });
  }
}

function chapOf({ connection }: WantedConnection) {
  return 'chap' in connection && connection.chap !== undefined
    ? { chapUser: connection.chap.user, chapPassword: connection.chap.password }
    : {};
}

/** @throws FAILED_PRECONDITION: the export asks for a password, and no command would give it. */
function requireChap({ rules }: Parts, wanted: WantedConnection): void {
  if (Object.keys(chapOf(wanted)).length === 0 || rules.connect.some(({ run }) => run.includes('<chapPassword>'))) return;
  const message =
    'The export asks for CHAP, and no command of connect has <chapPassword>: add one, or configure the exporter without CHAP.';
  throw new VbsError('FAILED_PRECONDITION', message, { resource: wanted.attachmentId });
}
