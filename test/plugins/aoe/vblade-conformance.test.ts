import { dirname, join } from 'node:path';
import { targetExporterConformance } from '@vbs/conformance';
import aoePlugin from '@vbs/plugin-aoe';
import test from 'ava';
import { makeFileVolume } from '../../conformance/file-volume.js';
import { node2 } from './exporter-stage.js';
import { vbladeClient } from './vblade-client.js';
import { VethSegment, whySkipped } from './veth-segment.js';

let segment: VethSegment;
const mac = '52:54:00:aa:00:01';

test.before(async () => {
  if (whySkipped === '') segment = await VethSegment.make('kit');
});
test.after.always(async () => {
  await segment?.remove();
});

// One after the other: each client is a process of its own.
targetExporterConformance(whySkipped === '' ? test.serial : test.skip, aoePlugin, {
  label: `aoe on the real vblade${whySkipped}`,
  config: () => ({ interface: segment.interface }),
  machine: ({ directory }) => segment.machine(join(dirname(directory), 'state')),
  timeLimitMs: 240_000,
  makeVolume: makeFileVolume,
  connect: (connection) => vbladeClient(segment, connection, { mac, limitMs: 2_000 }),
  initiators: [mac],
  stranger: node2,
});
