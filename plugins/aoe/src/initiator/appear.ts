import { setTimeout as pause } from 'node:timers/promises';
import { type Call, unlessCode, VbsError } from '@vbs/core';
import type { WantedConnection } from './address.js';
import { type AoeDevice, isUp } from './devices.js';
import { segmentFaults } from './interfaces.js';
import type { Tools } from './tools.js';

/**
 * How long a device may take after vblade told of itself when it started, and then after each question, in milliseconds. A question goes
 * to the whole segment, and a frame of it or of its answer may be lost.
 */
const announcedMs = 300;
const answerMs = [1_000, 2_000, 4_000, 8_000] as const;
const readyMs = 2_000;
const readyPauseMs = 20;

/**
 * Waits until the kernel has found the target, and asks the segment for it. Not asked first: a question also brings back what another
 * attachment of this node has just flushed, while its vblade still runs.
 * @throws UNAVAILABLE: nobody answers; the message says what may be wrong.
 */
export async function appear(call: Call, tools: Tools, wanted: WantedConnection): Promise<AoeDevice> {
  let device = await withinMs(call, tools, wanted, announcedMs);
  for (const limitMs of answerMs) {
    if (device !== undefined) return device;
    if (call.signal.aborted) break;
    await tools.kernel.discover(call, wanted);
    device = await withinMs(call, tools, wanted, limitMs);
  }
  if (device !== undefined) return device;
  const faults = await segmentFaults(call, tools);
  const why =
    faults.length > 0 ? faults.join(' ') : 'See that its vblade runs, on this segment, and lets in the MAC addresses of this node.';
  const message = `No target answers as ${wanted.key} on ${tools.config.interfaces.join(', ')}. ${why}`;
  throw new VbsError('UNAVAILABLE', message, { resource: wanted.attachmentId, context: { device: wanted.key, faults } });
}

async function withinMs(
  call: Call,
  { machine, devices }: Tools,
  wanted: WantedConnection,
  timeLimitMs: number,
): Promise<AoeDevice | undefined> {
  const there = machine.waitForPath(call, wanted.devicePath, 'present', { timeLimitMs }).then(() => true);
  if ((await unlessCode('DEADLINE_EXCEEDED', there)) === undefined) return undefined;
  // The node comes while the disk is being made.
  for (const deadline = performance.now() + readyMs; ; ) {
    const device = await devices.look(call, wanted);
    if (device !== undefined && isUp(device)) return device;
    if (performance.now() > deadline || call.signal.aborted) return undefined;
    await pause(readyPauseMs);
  }
}
