import { setTimeout as pause } from 'node:timers/promises';
import { type Access, type Call, VbsError } from '@vbs/core';
import type { WantedConnection } from './address.js';
import { appear } from './appear.js';
import { type AoeDevice, isHeldDown, isUp } from './devices.js';
import { findHolders } from './holders.js';
import type { Tools } from './tools.js';

export interface WantedDevice {
  readonly sizeBytes: number;
  readonly access: Access;
}

const resizeLimitMs = 2_000;
const resizePauseMs = 20;

/** What was there before, and what is found after that was flushed. */
const mostTries = 2;

/**
 * Finds the target, or the device that is there already, and answers it when size and interface are right and its target answers a read.
 * What is left of a former export of the address (down, dead, or of another size, which the target does not confirm) is flushed, and
 * found anew.
 * @throws FAILED_PRECONDITION: another size or interface, or something holds a device that is down. UNAVAILABLE: no target answers.
 */
export async function connect(call: Call, tools: Tools, wanted: WantedConnection, as: WantedDevice): Promise<void> {
  const { kernel, machine } = tools;
  await machine.settle(call, wanted.attachmentId);
  let before = await lookWithoutTheDead(call, tools, wanted);
  for (let tried = 1; ; tried++) {
    const found = before ?? (await appear(call, tools, wanted));
    const device = await withSize(call, tools, wanted, found, as.sizeBytes);
    const fault = faultOf(tools, wanted, device, as);
    if (fault === undefined && (await kernel.answers(call, wanted))) return await setAccess(call, tools, wanted, device, as);
    // Where the target is silent, also the read that still waits for it: what is open must not be flushed.
    const holders = await findHolders(call, tools, wanted, device);
    if (holders.length === 0) await kernel.flush(call, wanted);
    if (holders.length > 0 || tried === mostTries || (before === undefined && fault !== undefined)) {
      throw refused(wanted, fault ?? silentTarget(tools, wanted), holders);
    }
    before = undefined;
  }
}

async function setAccess(
  call: Call,
  { kernel }: Tools,
  wanted: WantedConnection,
  device: AoeDevice,
  { access }: WantedDevice,
): Promise<void> {
  const readOnly = access === 'read-only';
  if (device.readOnly !== readOnly) await kernel.setAccess(call, wanted, readOnly);
}

async function lookWithoutTheDead(call: Call, { devices, kernel }: Tools, wanted: WantedConnection): Promise<AoeDevice | undefined> {
  const device = await devices.lookWithModule(call, wanted);
  if (device === undefined || isUp(device)) return device;
  if (isHeldDown(device)) {
    const message = `${wanted.devicePath} is left of a target that went (${device.state}), and something on this node has it open: end that, then try again.`;
    throw new VbsError('FAILED_PRECONDITION', message, {
      resource: wanted.attachmentId,
      context: { device: wanted.key, state: device.state },
    });
  }
  await kernel.flush(call, wanted);
  return undefined;
}

/** The device, after its target was asked for its size where it is not the wanted one: the kernel asks by itself only while nobody has it open. */
async function withSize(
  call: Call,
  { devices, kernel }: Tools,
  wanted: WantedConnection,
  device: AoeDevice,
  sizeBytes: number,
): Promise<AoeDevice> {
  if (device.sizeBytes === sizeBytes) return device;
  await kernel.revalidate(call, wanted);
  let seen = device;
  for (const deadline = performance.now() + resizeLimitMs; seen.sizeBytes !== sizeBytes; ) {
    if (performance.now() > deadline || call.signal.aborted) return seen;
    await pause(resizePauseMs);
    seen = (await devices.look(call, wanted)) ?? seen;
  }
  return seen;
}

interface Fault {
  readonly code: 'FAILED_PRECONDITION' | 'UNAVAILABLE';
  readonly message: string;
  readonly context: Readonly<Record<string, unknown>>;
}

function faultOf({ config }: Tools, { key }: WantedConnection, device: AoeDevice, { sizeBytes }: WantedDevice): Fault | undefined {
  const code = 'FAILED_PRECONDITION';
  const strange = device.interfaces.filter((name) => !config.interfaces.includes(name));
  if (strange.length > 0) {
    const message = `A target answers as ${key} on ${strange.join(', ')}, which is none of the interfaces configured (${config.interfaces.join(', ')}): another export has this address there. Keep AoE off that interface with aoe-interfaces.`;
    return { code, message, context: { device: key, interfaces: device.interfaces } };
  }
  if (device.sizeBytes === sizeBytes) return undefined;
  const message = `${key} has ${device.sizeBytes} bytes, not ${sizeBytes}: it is another volume, or was resized.`;
  return { code, message, context: { device: key, sizeBytes: device.sizeBytes, expectedBytes: sizeBytes } };
}

function silentTarget({ config }: Tools, { key }: WantedConnection): Fault {
  const message = `The target of ${key} tells of itself on ${config.interfaces.join(', ')}, and answers no read: its vblade may have ended, or something between lets large frames not pass (compare the MTU of every machine and switch of the segment).`;
  return { code: 'UNAVAILABLE', message, context: { device: key } };
}

/** What is not the wanted device was not left there, unless somebody uses it. */
function refused({ attachmentId }: WantedConnection, { code, message, context }: Fault, holders: readonly string[]): VbsError {
  const left = holders.length === 0 ? '' : ` It stays connected, since it is held by ${holders.join(', ')}.`;
  return new VbsError(code, `${message}${left}`, { resource: attachmentId, context: { ...context, holders } });
}
