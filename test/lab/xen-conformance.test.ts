import { hypervisorConformance } from '@vbs/conformance';
import { Lab, type XenGuest } from '@vbs/lab';
import xenPlugin from '@vbs/plugin-xen';
import test from 'ava';
import { KiB } from './support/lvm-groups.js';
import { Dom0Disks, guestDisk, holdDisks, makeSource } from './support/xen-disks.js';

let lab: Lab;
test.before(async (t) => {
  t.timeout(600_000);
  lab = await Lab.up({ guests: { vs1: 'storage', dom0: 'xen' } });
  await dom0().domu('domu2').start();
});
test.after.always(async () => await lab?.close());

const dom0 = (): XenGuest => lab.xenGuest('dom0');
const disks = new Dom0Disks(dom0);

/**
 * An attach takes xl four seconds in a guest, and whatever a DomU reads one: what is proved here is what Xen and a guest decide. The rest
 * runs on stand-in tools, which a guest's xl is compared with in xen-stand-in.test.ts. VBS_LAB_KIT=whole runs everything.
 */
const decidedByXen = [
  'identifyVm › tells whether the VM runs',
  "attachDevice › shows the guest the volume's bytes and size, and brings its writes to the volume",
  'attachDevice › refuses a slot that holds another source with FAILED_PRECONDITION, and changes nothing',
  'attachDevice › gives a slot to one of two sources that race for it',
  'attachDevice › lets no guest write to a read-only disk',
  'detachDevice › takes the disk out, and leaves the bytes that the guest wrote',
  'detachDevice › leaves the disk with a guest that is busy, says so, and has it out once the guest lets go',
  'listDevices › lists every disk of every VM with its slot, access and, where it tells it, source',
];
const whole = process.env.VBS_LAB_KIT === 'whole';

function chosen(title: string, body: () => Promise<void>): void {
  if (whole || decidedByXen.some((promise) => title.endsWith(promise))) test.serial(title, body);
}

hypervisorConformance(chosen, xenPlugin, {
  label: 'xen, by xl in a guest with the real Xen',
  config: () => ({ connectTimeoutSeconds: 20 }),
  machine: () => dom0().machine,
  vms: ['domu1', 'domu2'],
  devices: ['xvdb', 'xvdq'],
  aliases: ['/dev/xvdb', '51728', '0xca10'],
  illegalDevices: ['xvd', 'xvdb1', 'vdb', '51729', '0'],
  makeSource: (_surroundings, { sizeBytes }) => makeSource(disks, sizeBytes),
  guest: (_surroundings, vmId, slot) => guestDisk(dom0().domu(vmId), slot),
  holdDevice: (_surroundings, vmId) => holdDisks(dom0(), disks, vmId),
  sizeBytes: 16 * KiB,
  timeLimitMs: 240_000,
  settleLimitMs: 30_000,
});
