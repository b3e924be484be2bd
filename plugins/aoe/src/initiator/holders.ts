import { setTimeout as pause } from 'node:timers/promises';
import { type Call, type Machine, unlessCode, VbsError } from '@vbs/core';
import type { WantedConnection } from './address.js';
import { type AoeDevice, isHeldDown } from './devices.js';
import type { AoeKernel } from './kernel.js';

const mountsLimitBytes = 16 * 1024 * 1024;
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

async function lastingHolders(
  call: Call,
  machine: Machine,
  { devicePath }: WantedConnection,
  { numbers }: AoeDevice,
): Promise<readonly string[]> {
  const isDevice = (path: string): boolean =>
    path === devicePath || (path.startsWith(devicePath) && /^p\d+$/.test(path.slice(devicePath.length)));
  const found = await Promise.all([
    mounts(call, machine, numbers, isDevice),
    swaps(call, machine, isDevice),
    loops(call, machine, isDevice),
    xenBackends(call, machine, numbers),
  ]);
  return found.flat();
}

/** proc(5): `36 35 98:0 /root /mount/point options … - type source superoptions`. */
async function mounts(call: Call, machine: Machine, numbers: readonly string[], isDevice: (path: string) => boolean): Promise<string[]> {
  const text = await machine.readFile(call, '/proc/self/mountinfo', { maxBytes: mountsLimitBytes });
  return text.split('\n').flatMap((line) => {
    const words = line.split(' ');
    const [, , number = '', , place = ''] = words;
    const source = words[words.indexOf('-') + 2] ?? '';
    return numbers.includes(number) || isDevice(source) ? [`the mount ${place}`] : [];
  });
}

async function swaps(call: Call, machine: Machine, isDevice: (path: string) => boolean): Promise<string[]> {
  const text = (await unlessCode('NOT_FOUND', machine.readFile(call, '/proc/swaps'))) ?? '';
  return text.split('\n').some((line) => isDevice(line.split(/\s/)[0] ?? '')) ? ['swap'] : [];
}

/** A loop device keeps its file open by no process. */
async function loops(call: Call, machine: Machine, isDevice: (path: string) => boolean): Promise<string[]> {
  const names = (await machine.listDirectory(call, '/sys/block')).filter((name) => /^loop\d+$/.test(name));
  const found = names.map(async (name) => {
    const file = await unlessCode('NOT_FOUND', machine.readFile(call, `/sys/block/${name}/loop/backing_file`));
    return file !== undefined && isDevice(file.trim()) ? [`the device ${name}`] : [];
  });
  return (await Promise.all(found)).flat();
}

/** Xen's blkback opens a device in the kernel; `physical_device` is `major:minor`, each hexadecimal. */
async function xenBackends(call: Call, machine: Machine, numbers: readonly string[]): Promise<string[]> {
  const folder = '/sys/bus/xen-backend/devices';
  const names = (await unlessCode('NOT_FOUND', machine.listDirectory(call, folder))) ?? [];
  const found = names
    .filter((name) => name.startsWith('vbd-'))
    .map(async (name) => {
      const text = await unlessCode('NOT_FOUND', machine.readFile(call, `${folder}/${name}/physical_device`));
      const number = text
        ?.trim()
        .split(':')
        .map((part) => Number.parseInt(part, 16))
        .join(':');
      return number !== undefined && numbers.includes(number) ? [`the Xen backend ${name}`] : [];
    });
  return (await Promise.all(found)).flat();
}

interface NamedProcess {
  readonly pid: string;
  readonly name: string | undefined;
}

function inWords({ pid, name }: NamedProcess): string {
  return name === undefined ? `process ${pid}` : `process ${pid} (${name})`;
}

async function namedProcesses(call: Call, machine: Machine, openers: readonly string[]): Promise<readonly NamedProcess[]> {
  const pids = [...new Set(openers.map((path) => path.split('/')[2] ?? ''))];
  return await Promise.all(
    pids.map(async (pid) => {
      const name = await unlessCode(['NOT_FOUND', 'PERMISSION_DENIED'], machine.readFile(call, `/proc/${pid}/comm`));
      return { pid, name: name?.trim() };
    }),
  );
}
