import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lab } from '@vbs/lab';
import test from 'ava';
import { call, openExporter, requestOf } from '../plugins/aoe/exporter-stage.js';
import { makeLogicalVolume, makeVolumeGroup } from './support/node-client.js';
import { GuestShells } from './support/node-client-shell.js';
import { linesOn, Writer } from './support/node-client-writer.js';

const MiB = 1024 * 1024;
let lab: Lab;
let server: GuestShells;
let client: GuestShells;
test.before(async () => {
  lab = await Lab.up({ guests: ['vs1', 'node1'] });
  await makeVolumeGroup(lab.guest('vs1'));
  server = new GuestShells(lab, 'vs1');
  client = new GuestShells(lab, 'node1');
});
test.after.always(async () => {
  server?.close();
  client?.close();
  await lab?.close();
});

test.serial('extendExport › a mounted file system goes on while vblade is started anew, and grows into what was added', async (t) => {
  t.timeout(240_000);
  const directory = await mkdtemp(join(tmpdir(), 'vbs-lab-aoe-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const netif = (await server.run('cat /run/vbs-lab/storage-interface')).trim();
  const opened = await openExporter(directory, lab.guest('vs1').machine, { config: { interface: netif } });
  t.teardown(() => opened.close());
  const long = () => call({ signal: AbortSignal.timeout(120_000) });
  const volume = await makeLogicalVolume(server, 16 * MiB);
  const made = requestOf(volume.locator.path, opened.traits.addresses?.first ?? 0, {
    sizeBytes: 16 * MiB,
    initiators: [lab.guest('node1').mac],
  });
  const request = { ...made, volume: { ...made.volume, locator: volume.locator } };
  const connection = await opened.contract.createExport(long(), request);
  if (connection.protocol !== 'aoe') throw new Error(`the connection is ${connection.protocol}`);
  const disk = `/dev/etherd/${connection.key}`;
  await client.run(`for i in {1..20}; do aoe-discover; sleep 0.2; [ -b ${disk} ] && exit 0; done; exit 1`);
  const writer = await Writer.begin(client, disk);
  const before = await server.run('pgrep -x vblade');

  await volume.grow(32 * MiB);
  const larger = { ...request.volume, sizeBytes: 32 * MiB };
  t.deepEqual(await opened.contract.extendExport(long(), { exportId: request.exportId, volume: larger }), { sizeBytes: 32 * MiB });

  t.not(await server.run('pgrep -x vblade'), before, 'another vblade');
  await writer.goesOn();
  const seen = await client.run(`
    aoe-revalidate ${connection.key}
    for i in {1..100}; do [ $(blockdev --getsize64 ${disk}) = ${32 * MiB} ] && break; sleep 0.05; done
    blockdev --getsize64 ${disk}
    resize2fs ${disk} >/dev/null 2>&1
    stat -f -c '%b %S' ${writer.at}`);
  const [size, blocks, blockBytes] = seen.trim().split(/\s+/).map(Number);
  t.is(size, 32 * MiB);
  t.true((blocks ?? 0) * (blockBytes ?? 0) > 24 * MiB, seen);
  await writer.goesOn();
  const lines = await writer.end(disk);
  await client.run(`aoe-flush ${connection.key}`);
  await opened.contract.deleteExport(long(), { exportId: request.exportId });
  t.is(await linesOn(server, volume.locator.path), lines);
  t.is(await server.run('pgrep -x vblade || true'), '');
  await volume.remove();
});
