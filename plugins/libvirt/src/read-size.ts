import { type Call, VbsError } from '@vbs/core';
import type { Wanted } from './requests.js';
import type { Tools } from './tools.js';

/** The size in bytes that a running VM's QEMU shows its guest. */
export async function readSize(call: Call, tools: Tools, { vm, slot }: Wanted): Promise<number> {
  const { stdout } = await tools.read(call, 'readSize', { vmId: vm, target: slot.name });
  const [, digits] = /^Capacity:\s+(\d+)$/m.exec(stdout) ?? [];
  if (digits !== undefined) return Number(digits);
  throw new VbsError('INTERNAL', `virsh domblkinfo has told no capacity of ${slot.name}: ${JSON.stringify(stdout.slice(0, 100))}`);
}
