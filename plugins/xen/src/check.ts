import { type Call, toVbsError, unlessCode } from '@vbs/core';
import { look } from './look.js';
import { parseDomains } from './parse-domains.js';
import type { Tools } from './tools.js';

/** What a node lacks, a sentence each. */
export async function checkNode(call: Call, tools: Tools): Promise<readonly string[]> {
  const faults: string[] = [];
  const capabilities = await unlessCode('NOT_FOUND', tools.machine.readFile(call, '/proc/xen/capabilities'));
  if (capabilities === undefined) {
    faults.push('/proc/xen/capabilities is not there: boot this machine on Xen, and mount xenfs (mount -t xenfs xenfs /proc/xen).');
  } else if (!capabilities.includes('control_d')) faults.push('This is a VM of a Xen host, not its Dom0.');
  for (const act of [async () => parseDomains(await tools.read(call, 'listVms')), () => look(call, tools)]) {
    try {
      await act();
    } catch (error) {
      faults.push(toVbsError(error).message);
    }
  }
  return faults;
}
