import { type Call, VbsError } from '@vbs/core';
import { linksOf, type Wanted } from './names.js';
import { poll } from './poll.js';
import type { Lun, Seen, Session, Sysfs } from './sysfs.js';
import type { Tools } from './tools.js';

const limitMs = 20_000;
/** When it is scanned again, after the first time. */
const scanAgainMs: readonly number[] = [4_000, 9_000, 16_000];

/** A logical unit that is a disk, by its name of this moment. */
export type Disk = Lun & { readonly disk: string };

/** A disk, and what was told of it when it was found. */
export interface FoundDisk {
  readonly disk: Disk;
  readonly seen: Seen;
}

/**
 * The disk of a LUN, scanned for where the kernel does not know it yet; `seen` is what its session was at last.
 * @throws UNAVAILABLE: the target shows no disk at this LUN.
 */
export async function findDevice(call: Call, tools: Tools, sysfs: Sysfs, session: Session, wanted: Wanted, seen: Seen): Promise<FoundDisk> {
  const scans = [0, ...scanAgainMs];
  let next: Seen | undefined = seen;
  const found = await poll(call, limitMs, async (passedMs): Promise<FoundDisk | undefined> => {
    let now = next ?? (await sysfs.of(call, session, linksOf(wanted)));
    next = undefined;
    const [due] = scans;
    if (due !== undefined && passedMs >= due && now.lun(session, wanted.lun) === undefined) {
      scans.shift();
      await scan(call, tools, now.host(session) ?? (await sysfs.host(call, session)), wanted);
      now = await sysfs.of(call, session, linksOf(wanted));
    }
    const lun = now.lun(session, wanted.lun);
    return lun?.disk === undefined ? undefined : { disk: { ...lun, disk: lun.disk }, seen: now };
  });
  if (found !== undefined) return found;
  const message = `${wanted.iqn} shows no disk at LUN ${wanted.lun}. Look at the target, and whether this node's kernel says why (dmesg).`;
  throw new VbsError('UNAVAILABLE', message, { resource: wanted.attachmentId, context: { lun: wanted.lun, limitMs } });
}

/** Of this LUN alone. */
async function scan(call: Call, tools: Tools, host: number | undefined, { lun, attachmentId, iqn }: Wanted): Promise<void> {
  if (host === undefined) {
    throw new VbsError('UNAVAILABLE', `The session of ${iqn} has ended while its disk was looked for.`, { resource: attachmentId });
  }
  await tools.run(call, 'scanHost', { path: `/sys/class/scsi_host/host${host}/scan` }, { guard: attachmentId, input: `- - ${lun}` });
}
