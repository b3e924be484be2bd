import { type Call, toVbsError } from '@vbs/core';
import { addressOf } from './address.js';
import { segmentFaults } from './interfaces.js';
import type { Tools } from './tools.js';

const lvmFiles = ['/etc/lvm/lvm.conf', '/etc/lvm/lvmlocal.conf'] as const;
const refusesEtherd = /^\s*(?:global_filter|filter)\s*=\s*\[[^\]]*"r(.)[^"]*(?:etherd|\.\*)[^"]*"/m;
const usesDevicesFile = /^\s*use_devicesfile\s*=\s*1/m;

/** A sentence for each thing of the node that is missing, or endangers guests' disks. */
export async function checkNode(call: Call, tools: Tools): Promise<readonly string[]> {
  const told = async (act: Promise<unknown>): Promise<readonly string[]> => {
    try {
      await act;
      return [];
    } catch (error) {
      return [toVbsError(error).message];
    }
  };
  const found = await Promise.all([
    told(tools.devices.requireModule(call)),
    // Of a device that no target can have: what is tried is the tool, and the right to look.
    told(tools.kernel.openers(call, addressOf(0, 0))),
    segmentFaults(call, tools),
    lvmFaults(call, tools),
  ]);
  return found.flat();
}

/** LVM that scans guests' disks activates their volume groups here, and hangs when a target has gone (safety F5). */
async function lvmFaults(call: Call, { machine }: Tools): Promise<readonly string[]> {
  const look = await machine.look(call, lvmFiles);
  const [main, local] = lvmFiles.map((path) => look.text(path));
  if (main === undefined) return [];
  const set = [main, local ?? ''].join('\n').replaceAll(/#.*$/gm, '');
  if (refusesEtherd.test(set) || usesDevicesFile.test(set)) return [];
  return ['LVM of this node scans AoE disks: set global_filter = [ "r|^/dev/etherd/|" ] in the section devices of /etc/lvm/lvmlocal.conf.'];
}
