import { volumeBackendConformance } from '@vbs/conformance';
import { type Guest, Lab } from '@vbs/lab';
import lvmPlugin from '@vbs/plugin-lvm-iet';
import test from 'ava';
import { deviceIo, extentBytes, LvmGroups, MiB, thinPool } from './support/lvm-groups.js';

let lab: Lab;
test.before(async () => {
  lab = await Lab.up({ guests: ['vs1'] });
});
test.after.always(async () => await lab?.close());

const server = (): Guest => lab.guest('vs1');
const groups = new LvmGroups(server);

/**
 * A command of LVM takes a guest most of a second, and the whole kit twice half an hour: what is proved here is what the real tool
 * decides. The rest (legal ids, races, repeats) runs on stand-in tools, which a guest's LVM is compared with in lvm-stand-in.test.ts.
 * VBS_LAB_KIT=whole runs everything.
 */
const decidedByTheTool = [
  'open › finds everything again after a restart',
  'createVolume › makes a volume that reads zeros everywhere',
  'createVolume › refuses what its pool can never hold, unless it is thin, and leaves nothing of it',
  'createSnapshot › is of one instant while the volume is written to',
  'createSnapshot › settles soon when it is aborted, and leaves no half snapshot',
  "populateVolume › gives a volume the snapshot's bytes, and zeros behind them",
  'cloneVolume › makes a volume whose writes reach neither snapshot nor other clones',
  'extendVolume › keeps the old bytes, and adds zeros',
  'deleteVolume › never takes the content of a snapshot with it',
];
const whole = process.env.VBS_LAB_KIT === 'whole';

function chosen(title: string, body: () => Promise<void>): void {
  if (whole || decidedByTheTool.some((promise) => title.endsWith(promise))) test.serial(title, body);
}

for (const thin of [false, true]) {
  volumeBackendConformance(chosen, lvmPlugin, {
    label: `lvm-iet, ${thin ? 'thin' : 'thick'} in a guest with the real lvm2`,
    config: async (_directory, { atEnd }) => {
      const group = await groups.take({ thin });
      atEnd(async () => groups.giveBack(group, { thin }));
      return {
        volumeGroup: group.name,
        physicalVolumes: [group.device],
        blockBytes: extentBytes,
        pieceBytes: MiB,
        ...(thin ? { thinPool } : {}),
      };
    },
    machine: () => server().machine,
    io: deviceIo(server),
    // Two pieces of dd.
    sizeBytes: 2 * MiB,
    timeLimitMs: 180_000,
    settleLimitMs: 20_000,
  });
}
