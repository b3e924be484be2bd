import { targetExporterConformance } from '@vbs/conformance';
import { Lab } from '@vbs/lab';
import aoePlugin from '@vbs/plugin-aoe';
import test from 'ava';
import { AoeNode } from './support/aoe-exporter-client.js';
import { makeLogicalVolume, makeVolumeGroup } from './support/node-client.js';
import { chosen } from './support/node-client-kit.js';
import { GuestShells } from './support/node-client-shell.js';

/** What only the kernel's own initiator and real logical volumes can tell; the rest is proved on this machine by other clients. */
const promises = [
  "makes a volume's bytes reachable",
  'lets nobody write',
  'lets in only whom',
  'takes the export away',
  'ends every session',
  "shows the volume's new size",
];
let lab: Lab;
let server: GuestShells;
let client: GuestShells;
let node: AoeNode;
let netif = '';
test.before(async () => {
  lab = await Lab.up({ guests: ['vs1', 'node1'] });
  await makeVolumeGroup(lab.guest('vs1'));
  server = new GuestShells(lab, 'vs1');
  client = new GuestShells(lab, 'node1');
  node = await AoeNode.prepare(client);
  netif = (await server.run('cat /run/vbs-lab/storage-interface')).trim();
});
test.after.always(async () => {
  server?.close();
  client?.close();
  await lab?.close();
});

targetExporterConformance(chosen(promises), aoePlugin, {
  label: 'aoe in a guest with the real vblade',
  machine: () => lab.guest('vs1').machine,
  config: () => ({ interface: netif }),
  makeVolume: (_surroundings, sizeBytes) => makeLogicalVolume(server, sizeBytes),
  connect: (connection) => node.connect(connection),
  initiators: ['52:54:00:01:00:02'],
  stranger: '52:54:00:01:00:77',
  // A guest's processor is slow.
  sizeBytes: 64 * 1024,
  timeLimitMs: 240_000,
  settleLimitMs: 15_000,
});
