import { type Call, type Machine, VbsError } from '@vbs/core';
import type { FoundDisk } from './find-device.js';
import { byPathName, linksOf, type Portal, type Wanted } from './names.js';
import { poll } from './poll.js';
import type { Seen } from './sysfs.js';
import type { Tools } from './tools.js';

const limitMs = 15_000;

/**
 * The name that udev gives the disk by its portal, target and LUN, when it leads to this disk. `udevadm settle` returns too early for it,
 * and the look that found the disk may have come too early too.
 * @throws UNAVAILABLE: udev has not given it.
 */
export async function stableLink(call: Call, tools: Tools, { disk, seen }: FoundDisk, portal: Portal, wanted: Wanted): Promise<string> {
  const link = byPathName(portal, wanted.iqn, wanted.lun);
  if (!seen.look.has(link)) await tools.machine.waitForPath(call, link, 'present', { timeLimitMs: limitMs });
  let leads: string | undefined;
  const found = await poll(call, limitMs, async () => {
    const { exitCode, stdout } = await tools.run(call, 'resolveLink', { path: link }, { okExitCodes: [0, 1], timeLimitMs: 30_000 });
    leads = exitCode === 0 ? stdout.trim() : undefined;
    return leads === `/dev/${disk.disk}` ? true : undefined;
  });
  if (found !== undefined) return link;
  const message = `${link} leads to ${leads ?? 'nothing'}, not to /dev/${disk.disk}: is udev running, and is a disk of an older session left?`;
  throw new VbsError('UNAVAILABLE', message, { resource: wanted.attachmentId, context: { link, leads: leads ?? null } });
}

/** A link that outlives its disk would soon lead to another's; `seen` has those of the portals. @throws DEADLINE_EXCEEDED */
export async function linksGone(call: Call, machine: Machine, wanted: Wanted, { look }: Seen): Promise<void> {
  for (const link of linksOf(wanted)) {
    if (look.has(link)) await machine.waitForPath(call, link, 'absent', { timeLimitMs: limitMs });
  }
}
