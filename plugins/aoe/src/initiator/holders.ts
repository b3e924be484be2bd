import { setTimeout as pause } from 'node:timers/promises';
import { type Call, type Look, type Machine, VbsError } from '@vbs/core';
import type { WantedConnection } from './address.js';
import { type AoeDevice, isHeldDown } from './devices.js';
import type { AoeKernel } from './kernel.js';
import { readable } from './readable.js';

const mountsLimitBytes = 16 * 1024 * 1024;
/** Of more processes the message would say no more. */
const mostNamed = 20;
/** udev looks into each new device for some milliseconds, under TCG for longer. */
const passingLimitMs = 5_000;
const passingPauseMs = 200;

/**
 * Everything on this node that holds a device, in words: what stands on it, mounts, swap, loop devices, Xen's block backend, processes.
 * The kernel counts who has it open, tells nobody, and does not heed it in a flush: what is open then writes into freed kernel memory
 * when it is closed.
 */
export async function findHolders(
  call: Call,
  { machine, kernel }: { readonly machine: Machine; readonly kernel: AoeKernel },
  wanted: WantedConnection,
  device: AoeDevice,
): Promise<readonly string[]> {
  const lasting = [...device.stackedBy.map((name) => `the device ${name}`), ...(await lastingHolders(call, machine, wanted, device))];
  if (lasting.length > 0) return lasting;
  await kernel.awaitUdev(call);
  for (const deadline = performance.now() + passingLimitMs; ; ) {
    const openers = await kernel.openers(call, wanted);
    // Of a device that is down the kernel does tell that it is open.
    if (openers.length === 0) return isHeldDown(device) ? ['something that is not seen from here'] : [];
    if (performance.now() > deadline || call.signal.aborted) return (await namedProcesses(call, machine, openers)).map(inWords);
    await pause(passingPauseMs);
  }
}

/** @throws FAILED_PRECONDITION: something on this node holds the device (`context.holders`). */
export async function refuseHeld(
  call: Call,
  tools: { readonly machine: Machine; readonly kernel: AoeKernel },
  wanted: WantedConnection,
  device: AoeDevice,
): Promise<void> {
  const holders = await findHolders(call, tools, wanted, device);
  if (holders.length === 0) return;
  const message = `${wanted.devicePath} is held on this node by ${holders.join(', ')}: let it go there first.`;
  throw new VbsError('FAILED_PRECONDITION', message, { resource: wanted.attachmentId, context: { device: wanted.key, holders } });
}

const mountinfo = '/proc/self/mountinfo';
const swaps = '/proc/swaps';
const loopFiles = '/sys/block/loop*/loop/backing_file';
const xenNumbers = '/sys/bus/xen-backend/devices/vbd-*/physical_device';

async function lastingHolders(
  call: Call,
  machine: Machine,
  { devicePath }: WantedConnection,
  { numbers }: AoeDevice,
): Promise<readonly string[]> {
  const isDevice = (path: string): boolean =>
    path === devicePath || (path.startsWith(devicePath) && /^p\d+$/.test(path.slice(devicePath.length)));
  const look = await machine.look(call, [mountinfo, swaps, loopFiles, xenNumbers], { maxBytes: mountsLimitBytes });
  return [...mounts(look, numbers, isDevice), ...swapped(look, isDevice), ...loops(look, isDevice), ...xenBackends(look, numbers)];
}

/** proc(5): `36 35 98:0 /root /mount/point options … - type source superoptions`. */
function mounts(look: Look, numbers: readonly string[], isDevice: (path: string) => boolean): string[] {
  const text = look.text(mountinfo);
  if (text === undefined) {
    throw new VbsError('UNAVAILABLE', `This node has no ${mountinfo}, so that it cannot be told what is mounted: mount /proc.`);
  }
  return text.split('\n').flatMap((line) => {
    const words = line.split(' ');
    const [, , number = '', , place = ''] = words;
    const source = words[words.indexOf('-') + 2] ?? '';
    return numbers.includes(number) || isDevice(source) ? [`the mount ${place}`] : [];
  });
}

function swapped(look: Look, isDevice: (path: string) => boolean): string[] {
  const lines = (look.text(swaps) ?? '').split('\n');
  return lines.some((line) => isDevice(line.split(/\s/)[0] ?? '')) ? ['swap'] : [];
}

/** A loop device keeps its file open by no process. */
function loops(look: Look, isDevice: (path: string) => boolean): string[] {
  const found = look.matching(loopFiles).filter(({ path }) => isDevice(look.text(path)?.trim() ?? ''));
  return found.map(({ parts: [number] }) => `the device loop${number}`);
}

/** Xen's blkback opens a device in the kernel; `physical_device` is `major:minor`, each hexadecimal. */
function xenBackends(look: Look, numbers: readonly string[]): string[] {
  return look.matching(xenNumbers).flatMap(({ path, parts: [id] }) => {
    const parts = (look.text(path)?.trim() ?? '').split(':').map((part) => Number.parseInt(part, 16));
    return numbers.includes(parts.join(':')) ? [`the Xen backend vbd-${id}`] : [];
  });
}

interface NamedProcess {
  readonly pid: string;
  readonly name: string | undefined;
}

function inWords({ pid, name }: NamedProcess): string {
  return name === undefined ? `process ${pid}` : `process ${pid} (${name})`;
}

async function namedProcesses(call: Call, machine: Machine, openers: readonly string[]): Promise<readonly NamedProcess[]> {
  const pids = [...new Set(openers.map((path) => path.split('/')[2] ?? ''))].slice(0, mostNamed);
  const nameOf = (pid: string): string => `/proc/${pid}/comm`;
  const look = await machine.look(call, pids.map(nameOf));
  return pids.map((pid) => ({ pid, name: readable(look, nameOf(pid)) }));
}
