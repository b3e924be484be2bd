import { type Call, type ConnectRequest, VbsError } from '@vbs/core';
import type { Disk, FoundDisk } from './find-device.js';
import { poll } from './poll.js';
import type { Session, Sysfs } from './sysfs.js';
import type { Tools } from './tools.js';

interface Parts {
  readonly tools: Tools;
  readonly sysfs: Sysfs;
}

const grownLimitMs = 5_000;
const limitMs = 30_000;

/**
 * Compares a disk with what is asked for (safety E2). One that is too small may have grown in its target: the target is asked anew.
 * @throws FAILED_PRECONDITION: it has another size or serial, or takes writes where it must not.
 */
export async function verifyDevice(
  call: Call,
  { tools, sysfs }: Parts,
  session: Session,
  { disk, seen }: FoundDisk,
  request: ConnectRequest<'iscsi'>,
): Promise<void> {
  const { sizeBytes, access, connection, attachmentId } = request;
  let found = seen.sizeBytes(disk);
  if (found !== undefined && found < sizeBytes)
    found = await seeGrowth(call, { tools, sysfs }, session, disk, { attachmentId, sizeBytes }, grownLimitMs / 10);
  const [serial, isReadOnly] = [seen.serial(disk), seen.isReadOnly(disk)];
  const differences = [
    ...(found === sizeBytes ? [] : [`has ${found ?? 'no'} bytes, not ${sizeBytes}`]),
    ...(serial === connection.serial ? [] : [`has the serial ${JSON.stringify(serial ?? '')}, not ${JSON.stringify(connection.serial)}`]),
    ...(isReadOnly === (access === 'read-only') ? [] : [isReadOnly ? 'takes no writes' : 'takes writes, though it is exported read-only']),
  ];
  if (differences.length === 0) return;
  const message = `The disk at ${connection.key} is not the volume that it must be: it ${differences.join('; it ')}.`;
  throw new VbsError('FAILED_PRECONDITION', message, {
    resource: attachmentId,
    context: {
      reason: 'wrong-device',
      found: { sizeBytes: found ?? null, serial: serial ?? null, access: isReadOnly ? 'read-only' : 'read-write' },
      expected: { sizeBytes, serial: connection.serial, access },
    },
  });
}

/** Makes the kernel ask the target for the size, and answers it when it is at least as large as wanted, or its limit is over. */
export async function seeGrowth(
  call: Call,
  { tools, sysfs }: Parts,
  session: Session,
  disk: Disk,
  { attachmentId, sizeBytes }: { readonly attachmentId: string; readonly sizeBytes: number },
  waitMs: number = limitMs,
): Promise<number | undefined> {
  await tools.run(call, 'rescanDevice', { path: `${disk.path}/rescan` }, { guard: attachmentId, input: '1' });
  let found: number | undefined;
  await poll(call, waitMs, async () => {
    found = (await sysfs.of(call, session)).sizeBytes(disk);
    return found !== undefined && found >= sizeBytes ? true : undefined;
  });
  return found;
}
