import { setTimeout as pause } from 'node:timers/promises';
import { type Call, VbsError } from '@vbs/core';
import type { WantedConnection } from './address.js';
import { isUp } from './devices.js';
import type { Tools } from './tools.js';

const pauseMs = 50;
/** The target is asked again, since a frame may be lost: so many looks after each question. */
const looks = 20;
const questions = 5;

/**
 * Makes the kernel see the size that the target has now, also while a guest has the device open.
 * @throws NOT_FOUND: there is no such device. UNAVAILABLE: its target is down, or does not show the size.
 */
export async function extendConnection(
  call: Call,
  { devices, kernel, machine }: Tools,
  wanted: WantedConnection,
  sizeBytes: number,
): Promise<number> {
  await machine.settle(call, wanted.attachmentId);
  let seenBytes = 0;
  for (let asked = 0; asked <= questions; asked++) {
    for (let looked = 0; looked < (asked === 0 ? 1 : looks); looked++) {
      if (looked > 0) await pause(pauseMs);
      const device = await devices.look(call, wanted);
      if (device === undefined) {
        throw new VbsError('NOT_FOUND', `This node has no ${wanted.devicePath}.`, { resource: wanted.attachmentId });
      }
      if (!isUp(device)) throw unavailable(wanted, `is ${device.state}: its target does not answer. See that its vblade runs`, seenBytes);
      seenBytes = device.sizeBytes;
      if (seenBytes >= sizeBytes) return seenBytes;
      if (call.signal.aborted) break;
    }
    if (asked < questions && !call.signal.aborted) await kernel.revalidate(call, wanted);
  }
  throw unavailable(wanted, `still has ${seenBytes} bytes, not ${sizeBytes}: extend its export first`, seenBytes);
}

function unavailable({ devicePath, attachmentId, key }: WantedConnection, message: string, sizeBytes: number): VbsError {
  return new VbsError('UNAVAILABLE', `${devicePath} ${message}.`, { resource: attachmentId, context: { device: key, sizeBytes } });
}
