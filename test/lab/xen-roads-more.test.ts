import { VbsError } from '@vbs/core';
import test from 'ava';
import { filesOf, makeFileSystem, mountDisk, readFile, unmountDisk } from './support/xen-guest-files.js';
import { leftOn, listInNimbus, newXenRoad } from './support/xen-road.js';
import { bringUp, figure2, figure3, until } from './support/xen-road-tests.js';

const lab = bringUp();

test.serial(
  'vblade, AoE and Xen › Figure 2: two volumes change places between two DomUs, and their file systems go with them',
  figure2,
  'vblade and AoE',
);
for (const [title, kind] of [
  ['tgt, iSCSI and Xen', 'tgt and iSCSI'],
  ['vblade, AoE and Xen', 'vblade and AoE'],
] as const) {
  test.serial(`${title} › Figure 3: a volume made from a snapshot has what was flushed before it, in another DomU`, figure3, kind);
}

test.serial('Xen › a disk that the DomU has mounted is let go of: it gets I/O errors, and what it had synced is there', async (t) => {
  const road = await newXenRoad(t, lab(), 'tgt and iSCSI');
  const domu = road.dom0.domu('domu1');
  const volume = await road.volume();
  await road.attach(volume, domu.name);
  const written = await makeFileSystem(domu, 'synced');
  await road.detach(volume);
  t.is(await leftOn(road.dom0), '');
  const { exitCode, stderr } = await domu.run('dd if=/dev/zero of=/mnt/volume/more bs=64k count=1 conv=fsync', { okExitCodes: [0, 1] });
  t.is(exitCode, 1, 'what is written and synced after the detach');
  t.regex(stderr, /error|No such device|Read-only file system/i);
  await domu.run('umount /mnt/volume');
  await road.attach(volume, domu.name);
  await mountDisk(domu);
  t.is(await readFile(domu, 'synced'), written);
  t.deepEqual(await filesOf(domu), ['synced']);
  await unmountDisk(domu);
  await road.detach(volume);
  await road.requireNothingLeft(t, volume);
});

test.serial('safety E3 › a DomU rebooted between attach and detach has its disk under a new domain id, and lets go of it', async (t) => {
  const road = await newXenRoad(t, lab(), 'tgt and iSCSI');
  const domu = road.dom0.domu('domu1');
  const volume = await road.volume();
  const before = await domu.id();
  // By its id, which is another soon.
  const { vmId } = await road.attach(volume, String(before));
  const written = await makeFileSystem(domu, 'kept');
  await unmountDisk(domu);
  await domu.run('(sleep 1; reboot -f) >/dev/null 2>&1 &');
  await until('the DomU has another id', async () => ![undefined, before].includes(await domu.id()));
  await domu.ready();
  await mountDisk(domu);
  t.is(await readFile(domu, 'kept'), written);
  await unmountDisk(domu);
  t.like((await road.store.describeAttachments({ volumeId: volume.id })).items[0], { state: 'attached', vmId });
  await road.detach(volume);
  t.is((await domu.run('ls /dev | grep -c xvdb || true')).stdout, '0\n');
  await road.requireNothingLeft(t, volume);
});

test.serial('safety A5 › a paused DomU: its disk stays detaching, and is out once the DomU goes on', async (t) => {
  const road = await newXenRoad(t, lab(), 'tgt and iSCSI');
  const domu = road.dom0.domu('domu1');
  const volume = await road.volume();
  const { id } = await road.attach(volume, domu.name);
  const written = await makeFileSystem(domu, 'kept');
  await unmountDisk(domu);
  await road.dom0.run('xl', 'pause', domu.name);
  const error = (await t.throwsAsync(road.detach(volume), { instanceOf: VbsError })) as VbsError;
  t.like(error, { code: 'FAILED_PRECONDITION', context: { reason: 'guest-busy' } });
  const attachment = async () => (await road.store.describeAttachments({ ids: [id] })).items[0];
  t.like(await attachment(), { state: 'detaching', reason: 'guest-busy' });
  t.not(await leftOn(road.dom0), '', 'the session below it is not ended');
  await road.dom0.run('xl', 'unpause', domu.name);
  await until(
    'the volume is available',
    async () => (await road.store.describeVolumes({ ids: [volume.id] })).items[0]?.state === 'available',
  );
  t.is(await leftOn(road.dom0), '');
  await road.attach(volume, domu.name);
  await mountDisk(domu);
  t.is(await readFile(domu, 'kept'), written);
  await unmountDisk(domu);
  await road.detach(volume);
  await road.requireNothingLeft(t, volume);
});

test.serial('Xen › a DomU destroyed while it has the disk: the detach ends, and the DomU made anew reads what was synced', async (t) => {
  const road = await newXenRoad(t, lab(), 'vblade and AoE');
  const domu = road.dom0.domu('domu1');
  const volume = await road.volume();
  await road.attach(volume, domu.name);
  const written = await makeFileSystem(domu, 'synced');
  await domu.destroy();
  await road.detach(volume);
  await domu.start();
  t.is((await domu.run('ls /dev | grep -c xvdb || true')).stdout, '0\n');
  await road.attach(volume, domu.name);
  await mountDisk(domu);
  t.is(await readFile(domu, 'synced'), written);
  await unmountDisk(domu);
  await road.detach(volume);
  await road.requireNothingLeft(t, volume);
});

test.serial('Nimbus and Xen › an attach by instance id finds the DomU wrksp-<id>, through a nimbus-admin of stand-in', async (t) => {
  const road = await newXenRoad(t, lab(), 'tgt and iSCSI');
  const { dom0, store } = road;
  const domu = dom0.domu('domu1');
  await dom0.run('xl', 'rename', domu.name, 'wrksp-4');
  await listInNimbus(dom0, '4', 'dom0.lab.example');
  const volume = await road.volume();
  const attach = (instanceId: string) => store.attachVolume({ volumeId: volume.id, instanceId, device: 'xvdb' }, { wait: true });
  await t.throwsAsync(attach('5'), { code: 'NOT_FOUND' });
  t.like(await attach('4'), { state: 'attached', vmmHost: 'dom0', vmId: 'wrksp-4', instanceId: '4', slot: 'xvdb' });
  t.regex(await dom0.script('xl block-list wrksp-4'), /^51728 +0 +\d+ +4 /m);
  await road.detach(volume);
  await listInNimbus(dom0, '4', 'elsewhere.lab.example');
  await t.throwsAsync(attach('4'), { code: 'NOT_FOUND' });
  await road.requireNothingLeft(t, volume);
});
