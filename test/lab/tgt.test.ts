import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ExportRequest, Secret } from '@vbs/core';
import { Lab } from '@vbs/lab';
import test, { type ExecutionContext } from 'ava';
import { call, openTgt } from '../plugins/tgt/open-tgt.js';
import { makeLogicalVolume, makeVolumeGroup } from './support/node-client.js';
import { chosen } from './support/node-client-kit.js';
import { GuestShells } from './support/node-client-shell.js';
import { linesOn, Writer } from './support/node-client-writer.js';
import { IscsiNode } from './support/tgt-client.js';

const MiB = 1024 * 1024;
const portal = '10.9.0.1:3260';
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
});
test.after.always(async () => {
  server?.close();
  client?.close();
  await lab?.close();
});

const killTgtd = () => server.run('pid=$(pgrep -x tgtd) || exit 0; kill -KILL $pid; while kill -0 $pid 2>/dev/null; do sleep 0.02; done');
const long = () => call({ signal: AbortSignal.timeout(240_000) });

/** An exporter with a tgtd of its own on vs1, which ends with the test. */
async function open(t: ExecutionContext) {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-lab-tgt-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const opened = await openTgt(directory, { portal, ioThreads: 1 }, { machine: () => lab.guest('vs1').machine });
  t.teardown(killTgtd);
  t.teardown(() => opened.close());
  return opened;
}

function requestOf(index: number, address: number, path: string, sizeBytes: number): ExportRequest<'block'> {
  const digits = index.toString(16).padStart(17, '0');
  return {
    exportId: `exp-${digits}`,
    volume: { id: `vol-${digits}`, sizeBytes, locator: { kind: 'block', path } },
    access: 'read-write',
    serial: `vol${digits}`,
    address,
    initiators: [lab.guest('node1').initiatorName],
    chap: { user: `exp-${digits}`, password: new Secret(`secret-of-${digits}`) },
  };
}

test.serial('ensureExports › tgtd is killed under a mounted file system, which goes on when its export is there again', async (t) => {
  t.timeout(240_000);
  const { contract: exporter, traits } = await open(t);
  const volume = await makeLogicalVolume(server, 16 * MiB);
  const request = requestOf(1, traits.addresses?.first ?? 0, volume.locator.path, 16 * MiB);
  const connection = await exporter.createExport(long(), request);
  if (connection.protocol !== 'iscsi') throw new Error(`the connection is ${connection.protocol}`);
  const disk = await node.connect(connection, request.chap, { waitSeconds: 120 });
  const writer = await Writer.begin(client, disk.disk);

  await killTgtd();
  await exporter.ensureExports(long(), { exports: [request] });

  await writer.goesOn();
  const listed = await exporter.listExports(long());
  t.deepEqual(
    listed.map(({ exportId, sessions }) => [exportId, sessions]),
    [[request.exportId, [{ initiator: lab.guest('node1').initiatorName }]]],
  );
  const lines = await writer.end(disk.disk);
  await disk.disconnect();
  await exporter.deleteExport(long(), { exportId: request.exportId });
  t.is(await linesOn(server, volume.locator.path), lines);
  await volume.remove();
});

const count = 50;

// Some 700 commands in a guest: it is run where the whole kit is.
chosen([])('createExport › 50 targets at once: each initiator finds its own volume, and nothing else is left afterwards', async () => {
  await fifty();
});

async function fifty(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-lab-tgt-'));
  const opened = await openTgt(directory, { portal, ioThreads: 1 }, { machine: () => lab.guest('vs1').machine });
  const { contract: exporter, traits } = opened;
  await server.run(`
    for i in {1..${count}}; do
      lvcreate -qq -y -Wn -Zn -L 64k -n f$i vg0 2>/dev/null
      printf 'vol%017x' $i | dd of=/dev/vg0/f$i conv=notrunc,nocreat,fsync status=none
    done`);
  try {
    const first = traits.addresses?.first ?? 0;
    const requests = Array.from({ length: count }, (_, index) => requestOf(index + 1, first + index, `/dev/vg0/f${index + 1}`, 65_536));
    const connections = await Promise.all(requests.map((request) => exporter.createExport(long(), request)));
    for (const [index, connection] of connections.entries()) {
      if (connection.protocol !== 'iscsi') throw new Error(`the connection is ${connection.protocol}`);
      const disk = await node.connect(connection, requests[index]?.chap);
      const found = await client.run(`head -c 20 ${disk.disk}`);
      if (found !== requests[index]?.serial) throw new Error(`${connection.key} leads to ${found}`);
      await disk.disconnect();
    }
    await Promise.all(requests.map(({ exportId }) => exporter.deleteExport(long(), { exportId })));
    const left = await exporter.listExports(long());
    if (left.length > 0) throw new Error(`${left.length} exports are left`);
  } finally {
    await opened.close();
    await killTgtd();
    await rm(directory, { recursive: true, force: true });
    await server.run(`lvremove -qq -y $(printf 'vg0/f%s ' {1..${count}})`);
  }
}
