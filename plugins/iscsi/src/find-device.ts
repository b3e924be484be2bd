import { type Call, VbsError } from '@vbs/core';
import type { Wanted } from './names.js';
import { poll } from './poll.js';
import type { Lun, Session, Sysfs } from './sysfs.js';
import type { Tools } from './tools.js';

const limitMs = 20_000;
/** When it is scanned again, after the first time. */
const scanAgainMs: readonly number[] = [4_000, 9_000, 16_000];

/** A logical unit that is a disk, by its name of this moment. */
export type Disk = Lun & { readonly disk: string };

/**
 * The disk of a LUN, scanned for where the kernel does not know it yet.
 * @throws UNAVAILABLE: the target shows no disk at this LUN.
 */
export async function findDevice(call: Call, tools: Tools, sysfs: Sysfs, session: Session, wanted: Wanted): Promise<Disk> {
  const scans = [0, ...scanAgainMs];
  const found = await poll(call, limitMs, async (passedMs): Promise<Disk | undefined> => {
    const lun = await lunOf(call, sysfs, session, wanted);
    if (lun?.disk !== undefined) return { ...lun, disk: lun.disk };
    const [next] = scans;
    if (next === undefined || passedMs < next) return undefined;
    scans.shift();
    if (lun === undefined) await scan(call, tools, sysfs, session, wanted);
    return undefined;
  });
  if (found !== undefined) return found;
  const message = `${wanted.iqn} shows no disk at LUN ${wanted.lun}. Look at the target, and whether this node's kernel says why (dmesg).`;
  throw new VbsError('UNAVAILABLE', message, { resource: wanted.attachmentId, context: { lun: wanted.lun, limitMs } });
}

export async function lunOf(call: Call, sysfs: Sysfs, session: Session, { lun }: Pick<Wanted, 'lun'>): Promise<Lun | undefined> {
  return (await sysfs.luns(call, session)).find((found) => found.lun === lun);
}

/** Of this LUN alone. */
async function scan(call: Call, tools: Tools, sysfs: Sysfs, session: Session, { lun, attachmentId, iqn }: Wanted): Promise<void> {
  const host = await sysfs.host(call, session);
  if (host === undefined) {
    throw new VbsError('UNAVAILABLE', `The session of ${iqn} has ended while its disk was looked for.`, { resource: attachmentId });
  }
  await tools.run(call, 'scanHost', { path: `/sys/class/scsi_host/host${host}/scan` }, { guard: attachmentId, input: `- - ${lun}` });
}
