import type { VbsError } from '@vbs/core';
import test from 'ava';
import { call, KiB, MiB, makeBackend, makeGroup, newSnapshotId, newVolumeId, storeId } from './lvm-fixture.js';

const sizeBytes = 2 * MiB;
const otherStore = 'f'.repeat(32);

test('createVolume › C1: a thick volume whose extents held other bytes reads zeros everywhere, and is listed only then (stand-in LVM)', async (t) => {
  const { backend, world, read } = await makeBackend(t);
  const id = newVolumeId();
  const seen: number[] = [];
  const progress = async (doneBytes: number): Promise<void> => {
    seen.push(doneBytes);
    t.deepEqual(
      [...(world.lvs.get(id)?.tags ?? [])].filter((tag) => tag.startsWith('vbs.state=')),
      ['vbs.state=making'],
    );
  };
  await backend.createVolume(call({ progress: (done) => void progress(done) }), { id, sizeBytes });
  t.true((await read(id)).equals(Buffer.alloc(sizeBytes)));
  t.deepEqual(seen, [MiB, 2 * MiB], 'progress after each piece');
});

test('createVolume › C5: a half made volume is not listed, and a repeat zeroes it from its start (stand-in LVM)', async (t) => {
  const { backend, faults, world, read } = await makeBackend(t);
  const id = newVolumeId();
  faults.arm(4, 'fails');
  await t.throwsAsync(backend.createVolume(call(), { id, sizeBytes }));
  t.regex(faults.ran.at(-1) ?? '', /^dd .* seek=16 /);
  faults.disarm();
  t.true(world.lvs.has(id));
  t.deepEqual(await backend.listVolumes(call()), []);
  await t.throwsAsync(backend.createSnapshot(call(), { id: newSnapshotId(), volumeId: id }), { code: 'NOT_FOUND' });
  await backend.createVolume(call(), { id, sizeBytes });
  t.true((await read(id)).equals(Buffer.alloc(sizeBytes)));
});

test('createVolume › C5: a half made volume of another size, or one to be filled, is made anew (stand-in LVM)', async (t) => {
  const { backend, faults } = await makeBackend(t);
  for (const request of [{ sizeBytes: sizeBytes + MiB }, { sizeBytes, toBeFilled: true } as const]) {
    const id = newVolumeId();
    faults.arm(3, 'fails');
    await t.throwsAsync(backend.createVolume(call(), { id, sizeBytes }));
    faults.disarm();
    t.is((await backend.createVolume(call(), { id, ...request })).sizeBytes, request.sizeBytes);
  }
});

test('extendVolume › C1: a guest is told a larger thick volume only when what was added reads zeros (stand-in LVM)', async (t) => {
  const { backend, faults, world, read } = await makeBackend(t);
  const id = newVolumeId();
  await backend.createVolume(call(), { id, sizeBytes });
  faults.arm(3, 'fails');
  const error = (await t.throwsAsync(backend.extendVolume(call(), { id, sizeBytes: 2 * sizeBytes }))) as VbsError;
  t.false(['FAILED_PRECONDITION', 'RESOURCE_EXHAUSTED'].includes(error.code), 'it does not say that nothing changed');
  faults.disarm();
  t.is(world.lvs.get(id)?.sizeBytes, 2 * sizeBytes);
  t.is((await backend.listVolumes(call()))[0]?.sizeBytes, sizeBytes);
  t.is((await backend.extendVolume(call(), { id, sizeBytes: sizeBytes + MiB })).sizeBytes, 2 * sizeBytes, 'what the device has');
  t.true((await read(id)).equals(Buffer.alloc(2 * sizeBytes)));
});

test('populateVolume › C1: a thick copy writes zeros too, and zeros behind the snapshot (stand-in LVM)', async (t) => {
  const { backend, write, read } = await makeBackend(t);
  const [volumeId, snapshotId, id] = [newVolumeId(), newSnapshotId(), newVolumeId()];
  await backend.createVolume(call(), { id: volumeId, sizeBytes });
  await write(volumeId, MiB, Buffer.from('in the middle'));
  await backend.createSnapshot(call(), { id: snapshotId, volumeId });
  await backend.createVolume(call(), { id, sizeBytes: sizeBytes + MiB, toBeFilled: true });
  t.false((await read(id)).subarray(4096).equals(Buffer.alloc(sizeBytes + MiB - 4096)), 'the stand-in hands out used extents');
  await backend.populateVolume(call(), { id, snapshotId, fromBytes: 0 });
  t.true((await read(id)).equals(Buffer.concat([await read(volumeId), Buffer.alloc(MiB)])));
});

test('populateVolume › C3: an invalid classic snapshot is listed as such, and never copied from (stand-in LVM)', async (t) => {
  const { backend, world } = await makeBackend(t);
  const [volumeId, snapshotId, id] = [newVolumeId(), newSnapshotId(), newVolumeId()];
  await backend.createVolume(call(), { id: volumeId, sizeBytes });
  await backend.createSnapshot(call(), { id: snapshotId, volumeId });
  await backend.createVolume(call(), { id, sizeBytes, toBeFilled: true });
  const lv = world.lvs.get(snapshotId);
  if (lv !== undefined) lv.invalid = true;
  t.regex((await backend.listSnapshots(call()))[0]?.invalid ?? '', /ran full/);
  await t.throwsAsync(backend.populateVolume(call(), { id, snapshotId, fromBytes: 0 }), {
    code: 'FAILED_PRECONDITION',
    message: /invalid/,
  });
  t.true((await backend.listVolumes(call())).some((volume) => volume.id === id && volume.filling === true));
  await backend.deleteSnapshot(call(), { id: snapshotId });
});

test("deleteVolume › C3: a classic origin keeps its snapshots, an operator's too, also when one comes in the last moment (stand-in LVM)", async (t) => {
  const { backend, world, machine } = await makeBackend(t);
  const volumeId = newVolumeId();
  await backend.createVolume(call(), { id: volumeId, sizeBytes });
  const take = (name: string) =>
    machine.run(call(), ['lvcreate', '-y', '-s', '-l', '100%ORIGIN', '-n', name, `vg0/${volumeId}`], { guard: 'operator' });
  const run = machine.run.bind(machine);
  machine.run = async (given, command, options) => {
    if (command[0] === 'lvremove' && !world.lvs.has('backup')) {
      machine.run = run;
      await take('backup');
    }
    return await run(given, command, options);
  };
  await t.throwsAsync(backend.deleteVolume(call(), { id: volumeId }), { code: 'FAILED_PRECONDITION' });
  t.true(world.lvs.has(volumeId) && world.lvs.has('backup'));
  const error = (await t.throwsAsync(backend.deleteVolume(call(), { id: volumeId }), { code: 'FAILED_PRECONDITION' })) as VbsError;
  t.deepEqual(error.context.dependants, ['backup']);
});

test('createSnapshot › C3: takes 100%ORIGIN, and less only where dmeventd extends (stand-in LVM)', async (t) => {
  const group = await makeGroup(t, { config: { snapshotPercent: 20 } });
  await t.throwsAsync(group.open(), { code: 'CONFIG_INVALID', message: /snapshotPercent.*dmeventd/ });
  group.world.lvmconf.snapshot_autoextend_threshold = '70';
  const { contract: backend } = await group.open();
  const volumeId = newVolumeId();
  await backend.createVolume(call(), { id: volumeId, sizeBytes });
  await backend.createSnapshot(call(), { id: newSnapshotId(), volumeId });
  t.regex(group.faults.ran.at(-2) ?? '', / --extents 20%ORIGIN /);
  const plain = await makeBackend(t);
  await plain.backend.createVolume(call(), { id: volumeId, sizeBytes });
  await plain.backend.createSnapshot(call(), { id: newSnapshotId(), volumeId });
  t.regex(plain.faults.ran.at(-2) ?? '', / --extents 100%ORIGIN /);
});

for (const thin of [false, true]) {
  const kind = thin ? 'thin' : 'classic';
  test(`createSnapshot › C2: what a killed lvcreate left with all its tags is no snapshot, since its content may be taken later, ${kind} (stand-in LVM)`, async (t) => {
    const { backend, faults, world, write, read } = await makeBackend(t, { thin });
    const [volumeId, id] = [newVolumeId(), newSnapshotId()];
    await backend.createVolume(call(), { id: volumeId, sizeBytes });
    faults.arm(3, 'fails');
    const error = (await t.throwsAsync(backend.createSnapshot(call(), { id, volumeId }))) as VbsError;
    t.false(['FAILED_PRECONDITION', 'RESOURCE_EXHAUSTED'].includes(error.code), 'it does not say that nothing changed');
    faults.disarm();
    t.true(world.lvs.has(id));
    t.deepEqual(await backend.listSnapshots(call()), []);
    const filling = newVolumeId();
    await backend.createVolume(call(), { id: filling, sizeBytes, toBeFilled: true });
    const populate = backend.populateVolume(call(), { id: filling, snapshotId: id, fromBytes: 0 });
    await t.throwsAsync(populate, { code: 'NOT_FOUND', message: /no snapshot/ });
    await write(volumeId, 0, Buffer.from('later'));
    await backend.createSnapshot(call(), { id, volumeId });
    t.is((await read(id, 5)).toString(), 'later', 'taken by the call that answered');
    await backend.deleteSnapshot(call(), { id });
    t.false(world.lvs.has(id));
  });
}

test('every change › a group with missing devices is UNAVAILABLE, though LVM would remove and mark volumes in it (stand-in LVM)', async (t) => {
  const { backend, world } = await makeBackend(t);
  const id = newVolumeId();
  await backend.createVolume(call(), { id, sizeBytes });
  world.missingDevice = true;
  t.is((await backend.listVolumes(call())).length, 1);
  for (const act of [
    backend.deleteVolume(call(), { id }),
    backend.createVolume(call(), { id: newVolumeId(), sizeBytes }),
    backend.createSnapshot(call(), { id: newSnapshotId(), volumeId: id }),
    backend.extendVolume(call(), { id, sizeBytes: 2 * sizeBytes }),
  ]) {
    await t.throwsAsync(act, { code: 'UNAVAILABLE', message: /missing/ });
  }
  t.true(world.lvs.has(id));
});

test('extendVolume › an active classic origin is FAILED_PRECONDITION, and names its snapshots (stand-in LVM)', async (t) => {
  const { backend } = await makeBackend(t);
  const [volumeId, snapshotId] = [newVolumeId(), newSnapshotId()];
  await backend.createVolume(call(), { id: volumeId, sizeBytes });
  await backend.createSnapshot(call(), { id: snapshotId, volumeId });
  const act = backend.extendVolume(call(), { id: volumeId, sizeBytes: 2 * sizeBytes });
  const error = (await t.throwsAsync(act, { code: 'FAILED_PRECONDITION' })) as VbsError;
  t.deepEqual(error.context.dependants, [snapshotId]);
});

test('deleteVolume › a volume that something holds open is FAILED_PRECONDITION, and keeps its bytes (stand-in LVM)', async (t) => {
  for (const wipe of ['none', 'zero', 'discard'] as const) {
    const { backend, world, write, read } = await makeBackend(t, { config: { wipe } });
    const id = newVolumeId();
    await backend.createVolume(call(), { id, sizeBytes });
    await write(id, 0, Buffer.from('bytes'));
    world.open.add(id);
    await t.throwsAsync(backend.deleteVolume(call(), { id }), { code: 'FAILED_PRECONDITION' }, wipe);
    t.is((await read(id, 5)).toString(), 'bytes', wipe);
    t.is((await backend.listVolumes(call())).length, 1, wipe);
    world.open.delete(id);
    await backend.deleteVolume(call(), { id });
    t.false(world.lvs.has(id));
  }
});

test('deleteVolume › wipes a thick volume as configured before it goes (stand-in LVM)', async (t) => {
  for (const [wipe, tool] of [
    ['zero', 'dd'],
    ['discard', 'blkdiscard'],
  ] as const) {
    const { backend, faults } = await makeBackend(t, { config: { wipe } });
    const id = newVolumeId();
    await backend.createVolume(call(), { id, sizeBytes });
    const from = faults.ran.length;
    await backend.deleteVolume(call(), { id });
    t.deepEqual(
      faults.ran.slice(from).map((line) => line.split(' ')[0]),
      ['lvm', 'lvchange', tool, tool, 'lvremove'],
    );
  }
});

test('every method › D1: what another made is never listed, counted, changed or removed (stand-in LVM)', async (t) => {
  for (const thin of [false, true]) {
    const { backend, world, read } = await makeBackend(t, { thin });
    const [untagged, tagged] = [newVolumeId(), newVolumeId()];
    world.make(untagged, 256 * KiB);
    world.make(tagged, 256 * KiB, [`vbs.store=${otherStore}`, 'vbs.state=ready', `vbs.bytes=${256 * KiB}`]);
    t.deepEqual(await backend.listVolumes(call()), []);
    t.is((await backend.getCapacity(call())).provisionedBytes, 0);
    for (const id of [untagged, tagged]) {
      const before = await read(id);
      await backend.deleteVolume(call(), { id });
      await t.throwsAsync(backend.createVolume(call(), { id, sizeBytes: 256 * KiB }), { code: 'FAILED_PRECONDITION', message: /tag/ });
      await t.throwsAsync(backend.extendVolume(call(), { id, sizeBytes: MiB }), { code: 'FAILED_PRECONDITION' });
      t.deepEqual(await read(id), before);
    }
  }
});

test('open › D1: a group that another store marked is refused; an unmarked one that the store knows is UNAVAILABLE, and stays so (stand-in LVM)', async (t) => {
  const group = await makeGroup(t);
  await t.throwsAsync(group.open({ knowsPool: true }), { code: 'UNAVAILABLE', message: /not marked anew/ });
  t.deepEqual([...group.world.tags], []);
  await group.open();
  t.deepEqual([...group.world.tags].sort(), ['vbs.backend:thick=vs1/lvm', 'vbs.epoch=0', `vbs.store=${storeId}`]);
  for (const knowsPool of [false, true]) {
    await t.throwsAsync(group.open({ storeId: otherStore, knowsPool }), { code: 'FAILED_PRECONDITION', message: /another store/ });
  }
  await t.throwsAsync(group.open({ name: 'vs1/other' }), { code: 'FAILED_PRECONDITION', message: /vs1\/lvm/ });
  t.is(group.world.tags.size, 3);
});

test('open › D1: a group without a mark whose volumes bear one is refused (stand-in LVM)', async (t) => {
  const group = await makeGroup(t);
  group.world.make(newVolumeId(), MiB, [`vbs.store=${storeId}`]);
  await t.throwsAsync(group.open(), { code: 'FAILED_PRECONDITION', message: /bears no store's tag/ });
});

test('every method › D1: a group that is not there is UNAVAILABLE, and nothing is said to be absent (stand-in LVM)', async (t) => {
  const { backend, world } = await makeBackend(t);
  world.present = false;
  for (const act of [
    backend.listVolumes(call()),
    backend.listSnapshots(call()),
    backend.deleteVolume(call(), { id: newVolumeId() }),
    backend.deleteSnapshot(call(), { id: newSnapshotId() }),
    backend.createVolume(call(), { id: newVolumeId(), sizeBytes }),
  ]) {
    await t.throwsAsync(act, { code: 'UNAVAILABLE' });
  }
});

test('open › a thick and a thin backend share a group, each with its own volumes (stand-in LVM)', async (t) => {
  const { backend: thin, open, world } = await makeBackend(t, { thin: true });
  const config = { volumeGroup: 'vg0', thinPool: undefined } as never;
  const { contract: thick } = await open({ name: 'vs1/thick', config });
  const [one, two] = [newVolumeId(), newVolumeId()];
  await thin.createVolume(call(), { id: one, sizeBytes });
  await thick.createVolume(call(), { id: two, sizeBytes });
  t.deepEqual(
    (await thin.listVolumes(call())).map(({ id }) => id),
    [one],
  );
  t.deepEqual(
    (await thick.listVolumes(call())).map(({ id }) => id),
    [two],
  );
  t.is(world.lvs.get(one)?.kind, 'thin');
  t.is(world.lvs.get(two)?.kind, 'thick');
});

test('markEpoch › D2: the group keeps one mark, the highest (stand-in LVM)', async (t) => {
  const { backend, world } = await makeBackend(t);
  for (const [epoch, kept] of [
    [4, 4],
    [9, 9],
    [6, 9],
  ] as const)
    t.is((await backend.markEpoch(call(), { epoch })).epoch, kept);
  t.deepEqual(
    [...world.tags].filter((tag) => tag.startsWith('vbs.epoch=')),
    ['vbs.epoch=9'],
  );
});

test('markEpoch › a group that was made anew under its old name begins at the first epoch of the store that has it now (stand-in LVM)', async (t) => {
  const { world, open } = await makeGroup(t);
  const first = await open();
  t.is((await first.contract.markEpoch(call({ epoch: 7 }), { epoch: 7 })).epoch, 7);
  await first.close();
  world.tags.clear();
  const second = await open({ storeId: 'fedcba9876543210fedcba9876543210' });
  t.teardown(() => second.close());
  t.is((await second.contract.markEpoch(call({ epoch: 1 }), { epoch: 1 })).epoch, 1);
});

test('open › a thin pool that does not zero, or is none, is refused (stand-in LVM)', async (t) => {
  const group = await makeGroup(t, { thin: true, zero: false });
  await t.throwsAsync(group.open(), { code: 'FAILED_PRECONDITION', message: /does not zero new blocks/ });
  group.world.make('plain', MiB);
  await t.throwsAsync(group.open({ config: { thinPool: 'plain' } }), { code: 'FAILED_PRECONDITION', message: /no thin pool/ });
  await t.throwsAsync(group.open({ config: { thinPool: 'none' } }), { code: 'UNAVAILABLE' });
});

test('createVolume › a thin pool is not over-committed, and nothing is made in one that is nearly full (stand-in LVM)', async (t) => {
  const { backend, world, opened } = await makeBackend(t, { thin: true, config: { maxOvercommit: 2 } });
  const pool = world.lvs.get('pool')?.sizeBytes ?? 0;
  const id = newVolumeId();
  await backend.createVolume(call(), { id, sizeBytes: pool });
  const exhausted = { code: 'RESOURCE_EXHAUSTED' } as const;
  await t.throwsAsync(backend.createVolume(call(), { id: newVolumeId(), sizeBytes: pool + MiB }), exhausted);
  await backend.createSnapshot(call(), { id: newSnapshotId(), volumeId: id });
  await t.throwsAsync(backend.createSnapshot(call(), { id: newSnapshotId(), volumeId: id }), exhausted, 'a snapshot promises its size too');
  await t.throwsAsync(backend.extendVolume(call(), { id, sizeBytes: pool + MiB }), exhausted);
  for (const full of [{ data: 96 }, { metadata: 91 }]) {
    const before = { ...world.poolState };
    Object.assign(world.poolState, full);
    await t.throwsAsync(backend.createSnapshot(call(), { id: newSnapshotId(), volumeId: id }), exhausted);
    t.regex((await opened.check(call())).join(' '), /space free, less than/);
    Object.assign(world.poolState, before);
  }
});

test('cloneVolume › a clone lives on when its snapshot and volume are deleted (stand-in LVM)', async (t) => {
  const { backend, write, read } = await makeBackend(t, { thin: true });
  const [volumeId, snapshotId, id] = [newVolumeId(), newSnapshotId(), newVolumeId()];
  await backend.createVolume(call(), { id: volumeId, sizeBytes });
  await write(volumeId, 0, Buffer.from('kept'));
  await backend.createSnapshot(call(), { id: snapshotId, volumeId });
  await backend.cloneVolume(call(), { id, snapshotId, sizeBytes });
  await backend.deleteVolume(call(), { id: volumeId });
  t.is((await backend.listSnapshots(call()))[0]?.volumeId, volumeId);
  await backend.deleteSnapshot(call(), { id: snapshotId });
  t.is((await read(id, 4)).toString(), 'kept');
});

test('populateVolume › a device that is not active is UNAVAILABLE, and no file is made in its place (stand-in LVM)', async (t) => {
  const { backend, world } = await makeBackend(t);
  const [volumeId, snapshotId, id] = [newVolumeId(), newSnapshotId(), newVolumeId()];
  await backend.createVolume(call(), { id: volumeId, sizeBytes });
  await backend.createSnapshot(call(), { id: snapshotId, volumeId });
  await backend.createVolume(call(), { id, sizeBytes, toBeFilled: true });
  const lv = world.lvs.get(id);
  if (lv !== undefined) world.deactivate(lv);
  await t.throwsAsync(backend.populateVolume(call(), { id, snapshotId, fromBytes: 0 }), { code: 'UNAVAILABLE', message: /activate it/ });
});

test('every method › F5: LVM looks at the configured devices alone (stand-in LVM)', async (t) => {
  const { opened, faults } = await makeBackend(t, { config: { physicalVolumes: ['/dev/vdb'] } });
  await opened.contract.listVolumes(call());
  t.regex(faults.ran.at(-1) ?? '', /global_filter=\["a\|\^\/dev\/vdb\$\|","r\|\.\*\|"\]/);
  const group = await makeGroup(t, { config: { physicalVolumes: ['/dev/vdc'] } });
  await t.throwsAsync(group.open(), { code: 'UNAVAILABLE' });
});

test('check › F5: tells missing devices, a pool that needs a check, and an LVM that looks into volumes (stand-in LVM)', async (t) => {
  const { opened, world } = await makeBackend(t, { thin: true });
  t.deepEqual(await opened.check(call()), []);
  world.missingDevice = true;
  world.poolState.check = true;
  world.lvmconf.scan_lvs = '1';
  const sentences = await opened.check(call());
  t.is(sentences.length, 3);
  t.regex(sentences.join(' '), /missing.*needs a check.*scan_lvs=1/);
});
