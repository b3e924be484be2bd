import { targetExporterConformance } from '@vbs/conformance';
import { Lab } from '@vbs/lab';
import tgtPlugin from '@vbs/plugin-tgt';
import test from 'ava';
import { makeLogicalVolume, makeVolumeGroup } from './support/node-client.js';
import { chosen } from './support/node-client-kit.js';
import { GuestShells } from './support/node-client-shell.js';
import { IscsiNode, startTgtd } from './support/tgt-client.js';

const portal = '10.9.0.1:3300';
const socket = '/run/tgtd-kit';
/** What only the kernel's own initiator and real logical volumes can tell; the rest is proved on this machine by other clients. */
const promises = [
  "makes a volume's bytes reachable",
  'lets nobody write',
  'asks for the CHAP secret',
  'lets in only whom',
  'refuses while somebody is connected',
  'ends every session',
  "shows the volume's new size",
];
let lab: Lab;
let server: GuestShells;
let client: GuestShells;
let node: IscsiNode;
test.before(async () => {
  lab = await Lab.up({ guests: ['vs1', 'node1'] });
  await makeVolumeGroup(lab.guest('vs1'));
  server = new GuestShells(lab, 'vs1');
  client = new GuestShells(lab, 'node1');
  node = await IscsiNode.prepare(client);
  await startTgtd(server, { portal, socket });
});
test.after.always(async () => {
  server?.close();
  client?.close();
  await lab?.close();
});

// One tgtd for all: it is started for each in test/lab/tgt.test.ts, and takes a second of a guest.
targetExporterConformance(chosen(promises), tgtPlugin, {
  label: 'tgt in a guest with the real tgtd',
  machine: () => lab.guest('vs1').machine,
  config: () => ({ daemon: 'external', portal, socket }),
  makeVolume: (_surroundings, sizeBytes) => makeLogicalVolume(server, sizeBytes),
  connect: (connection, { chap }) => node.connect(connection, chap),
  initiators: ['iqn.2026-11.lab.vbs:node1'],
  // A guest's processor is slow.
  sizeBytes: 64 * 1024,
  timeLimitMs: 240_000,
  settleLimitMs: 15_000,
});
