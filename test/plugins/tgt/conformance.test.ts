import { targetExporterConformance } from '@vbs/conformance';
import tgtPlugin from '@vbs/plugin-tgt';
import test from 'ava';
import { makeFileVolume } from '../../conformance/file-volume.js';
import { freePort } from '../../conformance/free-port.js';
import { scsiDisk } from './scsi.js';
import { node1, TestDaemon, withTools } from './tgt-fixture.js';

const tgtd = withTools('tgtd', 'tgtadm');

// One after the other: each has a tgtd of its own, and dozens of these with their clients are too much for a small machine.
targetExporterConformance(tgtd.why === '' ? test.serial : test.skip, tgtPlugin, {
  label: `tgt on the real tgtd${tgtd.why}`,
  config: async (directory, surroundings) => {
    const daemon = new TestDaemon(directory, await freePort());
    surroundings.atEnd(() => daemon.kill());
    await daemon.start();
    return daemon.config;
  },
  timeLimitMs: 180_000,
  makeVolume: makeFileVolume,
  connect: ({ iqn, portals: [portal] }, { chap }) =>
    scsiDisk({
      port: Number(portal?.split(':')[1]),
      iqn,
      initiator: node1,
      ...(chap === undefined ? {} : { chap: { user: chap.user, password: chap.password.reveal() } }),
    }),
  initiators: [node1],
});
