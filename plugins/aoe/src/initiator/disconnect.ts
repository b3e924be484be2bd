import { type Call, isVbsError, unlessCode } from '@vbs/core';
import type { WantedConnection } from './address.js';
import { type AoeDevice, isUp } from './devices.js';
import { refuseHeld } from './holders.js';
import type { Tools } from './tools.js';

/**
 * Writes out what is cached, and makes the kernel forget the device, while vblade still runs: a device whose target has gone blocks
 * whatever reads it, LVM's scan too.
 * @throws FAILED_PRECONDITION: something on this node holds the device (`context.holders`). UNAVAILABLE: it came back each time.
 */
export async function disconnect(call: Call, tools: Tools, wanted: WantedConnection): Promise<void> {
  const { kernel, machine } = tools;
  await machine.settle(call, wanted.attachmentId);
  const device = await lookOrAwait(call, tools, wanted);
  if (device === undefined) return;
  if (isUp(device)) await flushBuffers(call, tools, wanted);
  // At once before the flush, which does not ask whether somebody has the device open.
  await refuseHeld(call, tools, wanted, device);
  await kernel.flush(call, wanted);
}

/** The device; also one that comes late, since a connect that was given up has asked for it. */
async function lookOrAwait(call: Call, { devices, kernel, machine }: Tools, wanted: WantedConnection): Promise<AoeDevice | undefined> {
  const timeLimitMs = kernel.answerDueMs(wanted);
  const device = await devices.look(call, wanted);
  if (device !== undefined || timeLimitMs === 0) return device;
  await unlessCode('DEADLINE_EXCEEDED', machine.waitForPath(call, wanted.devicePath, 'present', { timeLimitMs }));
  return await devices.look(call, wanted);
}

async function flushBuffers(call: Call, { devices, kernel }: Tools, wanted: WantedConnection): Promise<void> {
  try {
    await kernel.flushBuffers(call, wanted);
  } catch (error) {
    const now = await devices.look(call, wanted);
    // It went down meanwhile: there is nowhere left to write to, and nobody who had it open.
    const isGone = now === undefined || !isUp(now);
    if (!isGone || !isVbsError(error) || error.code !== 'INTERNAL') throw error;
    call.log.warn({ device: wanted.key }, 'the target went before the device was flushed');
  }
}
