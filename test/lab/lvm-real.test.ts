import { type Guest, Lab } from '@vbs/lab';
import { parseAttributes } from '@vbs/plugin-lvm-iet/internal/lvm/parse-report.js';
import test from 'ava';
import { call, newSnapshotId, newVolumeId, openBackend } from './support/lvm-backend.js';
import { deviceIo, LvmGroups, MiB } from './support/lvm-groups.js';

let lab: Lab;
test.before(async () => {
  lab = await Lab.up({ guests: ['vs1'] });
});
test.after.always(async () => await lab?.close());

const server = (): Guest => lab.guest('vs1');
const groups = new LvmGroups(server);
const io = deviceIo(server);
const sizeBytes = 4 * MiB;

/** The letters of an LV, as the guest's LVM tells them. */
const attributesOf = async (group: string, name: string) =>
  parseAttributes((await server().script(`lvs --noheadings -o lv_attr ${group}/${name}`)).trim());

test.serial(
  'populateVolume › C3: a classic snapshot that ran full is told as invalid, and never copied from (real lvm2 in a guest)',
  async (t) => {
    const { group, backend } = await openBackend(t, server(), groups);
    const [volumeId, snapshotId, id] = [newVolumeId(), newSnapshotId(), newVolumeId()];
    const volume = await backend.createVolume(call(), { id: volumeId, sizeBytes });
    const { tags } = await takeSmall();
    await backend.createVolume(call(), { id, sizeBytes, toBeFilled: true });
    await server().script(`dd if=/dev/urandom of=${volume.locator.path} bs=1M count=4 oflag=direct status=none`);
    t.true((await attributesOf(group.name, snapshotId)).invalid);
    const [listed] = await backend.listSnapshots(call());
    t.is(listed?.id, snapshotId);
    t.regex(listed?.invalid ?? '', /ran full/);
    const populate = backend.populateVolume(call(), { id, snapshotId, fromBytes: 0 });
    await t.throwsAsync(populate, { code: 'FAILED_PRECONDITION', message: /invalid/ });
    t.true((await backend.listVolumes(call())).some((one) => one.id === id && one.filling === true));
    await t.throwsAsync(backend.deleteVolume(call(), { id: volumeId }), { code: 'FAILED_PRECONDITION' }, 'an invalid one keeps its origin');
    await backend.deleteSnapshot(call(), { id: snapshotId });
    await backend.deleteVolume(call(), { id: volumeId });
    t.true(tags.length > 0);

    /** As the backend takes one with a `snapshotPercent` below 100, whose dmeventd is not there in time. */
    async function takeSmall() {
      await backend.createSnapshot(call(), { id: snapshotId, volumeId });
      const read = `lvs --noheadings -o lv_tags ${group.name}/${snapshotId}`;
      const marks = (await server().script(read)).trim().split(',');
      const added = marks.map((tag) => `--addtag ${tag}`).join(' ');
      await server().script(`
      lvremove -q -y ${group.name}/${snapshotId}
      lvcreate -q -y -s -l 25%ORIGIN -n ${snapshotId} ${added} ${group.name}/${volumeId}`);
      return { tags: marks };
    }
  },
);

test.serial('deleteVolume › what something holds open is FAILED_PRECONDITION, and keeps its bytes (real lvm2 in a guest)', async (t) => {
  const { group, backend } = await openBackend(t, server(), groups);
  const id = newVolumeId();
  const { locator } = await backend.createVolume(call(), { id, sizeBytes });
  const path = { kind: 'block', path: locator.path as string } as const;
  await io.write(path, 0, Buffer.from('bytes'));
  const pid = (await server().script(`setsid sleep 600 <${locator.path} >/dev/null 2>&1 & echo $!`)).trim();
  t.true((await attributesOf(group.name, id)).open);
  await t.throwsAsync(backend.deleteVolume(call(), { id }), { code: 'FAILED_PRECONDITION', message: /in use/ });
  t.is(Buffer.from(await io.read(path, 0, 5)).toString(), 'bytes');
  await server().script(`kill ${pid}; while [ -d /proc/${pid} ]; do sleep 0.05; done`);
  await backend.deleteVolume(call(), { id });
  t.deepEqual(await backend.listVolumes(call()), []);
});

test.serial('deleteVolume › C3: an origin that gets a snapshot in the last moment stays, with it (real lvm2 in a guest)', async (t) => {
  const { group, backend } = await openBackend(t, server(), groups);
  const id = newVolumeId();
  await backend.createVolume(call(), { id, sizeBytes });
  const tag = (await server().script(`lvs --noheadings -o lv_tags ${group.name}/${id}`))
    .trim()
    .split(',')
    .find((one) => one.startsWith('vbs.store='));
  await server().script(`lvcreate -q -y -s -l 100%ORIGIN -n backup ${group.name}/${id}`);
  const select = `lv_tags=${tag}&&lv_attr!~^[oO]`;
  t.is((await server().run('lvremove', '--yes', '--select', select, `${group.name}/${id}`)).stdout, '');
  await t.throwsAsync(backend.deleteVolume(call(), { id }), { code: 'FAILED_PRECONDITION', message: /backup/ });
  t.is((await server().script(`lvs --noheadings -o lv_name ${group.name}`)).trim().split(/\s+/).length, 2);
});

test.serial(
  'every change › a group with a missing device is UNAVAILABLE, and nothing of it is removed (real lvm2 in a guest)',
  async (t) => {
    const { group, opened, backend } = await openBackend(t, server(), groups, { spare: true, sizeMiB: 16 });
    const [id, other] = [newVolumeId(), newVolumeId()];
    await backend.createVolume(call(), { id, sizeBytes });
    await server().script(`
    vgchange -q -an ${group.name}
    dmsetup remove --retry ${group.name}-spare`);
    t.regex((await opened.check(call())).join(' '), /are missing/);
    t.is((await backend.listVolumes(call())).length, 1);
    await t.throwsAsync(backend.deleteVolume(call(), { id }), { code: 'UNAVAILABLE' });
    await t.throwsAsync(backend.createVolume(call(), { id: other, sizeBytes }), { code: 'UNAVAILABLE' });
    await t.throwsAsync(backend.extendVolume(call(), { id, sizeBytes: 2 * sizeBytes }), { code: 'UNAVAILABLE' });
    await t.throwsAsync(backend.createSnapshot(call(), { id: newSnapshotId(), volumeId: id }), { code: 'UNAVAILABLE' });
    t.is((await backend.listVolumes(call()))[0]?.id, id);
  },
);

test.serial(
  'createVolume › in a thin pool whose data space ran out is RESOURCE_EXHAUSTED, and what holds it open is told as that (real lvm2 in a guest)',
  async (t) => {
    const { group, backend, opened } = await openBackend(t, server(), groups, { thin: true, sizeMiB: 32, poolMiB: 8 });
    await server().script(`lvchange -q --errorwhenfull y ${group.name}/pool`);
    const id = newVolumeId();
    const { locator } = await backend.createVolume(call(), { id, sizeBytes: 16 * MiB });
    await server().script(`dd if=/dev/urandom of=${locator.path} bs=1M count=16 oflag=direct status=none 2>/dev/null || true`);
    const exhausted = { code: 'RESOURCE_EXHAUSTED' } as const;
    await t.throwsAsync(backend.createVolume(call(), { id: newVolumeId(), sizeBytes }), exhausted);
    await t.throwsAsync(backend.createSnapshot(call(), { id: newSnapshotId(), volumeId: id }), exhausted);
    t.regex((await opened.check(call())).join(' '), /data space/);
    const pid = (await server().script(`setsid sleep 600 <${locator.path} >/dev/null 2>&1 & echo $!`)).trim();
    await t.throwsAsync(backend.deleteVolume(call(), { id }), { code: 'FAILED_PRECONDITION', message: /open/ });
    await server().script(`kill ${pid}; while [ -d /proc/${pid} ]; do sleep 0.05; done`);
    await backend.deleteVolume(call(), { id });
    t.is((await backend.createVolume(call(), { id: newVolumeId(), sizeBytes })).sizeBytes, sizeBytes, 'its room came back');
  },
);

for (const thin of [false, true]) {
  const kind = thin ? 'thin' : 'classic';
  test.serial(
    `createSnapshot › C2: what a killed lvcreate left is no snapshot, and ${thin ? 'a repeat makes it whole' : 'another is taken'}, ${kind} (real lvm2 in a guest)`,
    async (t) => {
      const { group, backend } = await openBackend(t, server(), groups, { thin });
      const volumeId = newVolumeId();
      const { locator } = await backend.createVolume(call(), { id: volumeId, sizeBytes });
      await io.write({ kind: 'block', path: locator.path as string }, 0, Buffer.from('kept'));
      const store = (await server().script(`lvs --noheadings -o lv_tags ${group.name}/${volumeId}`))
        .trim()
        .split(',')
        .find((one) => one.startsWith('vbs.store='));
      const room = thin ? '--setactivationskip y' : '--extents 100%ORIGIN';
      const bytes = thin ? '' : `--addtag vbs.bytes=${sizeBytes}`;
      const lvcreate = (name: string): string =>
        `lvcreate --yes --snapshot ${room} --name ${name} --addtag ${store} --addtag vbs.state=making --addtag vbs.volume=${volumeId} ${bytes} ${group.name}/${volumeId} >/dev/null 2>&1`;
      const whole = newSnapshotId();
      const took = Number(await server().script(`a=$(date +%s%N); ${lvcreate(whole)}; b=$(date +%s%N); echo $(((b-a)/1000000))`));
      for (const part of [0.3, 0.6, 0.9]) {
        let id = newSnapshotId();
        await server().script(`timeout -s KILL ${((took * part) / 1000).toFixed(3)} ${lvcreate(id)} || true`);
        const left = (
          await server().script(
            `lvs --noheadings -o lv_attr,origin,lv_tags ${group.name}/${id} 2>&1 || true; dmsetup info -c --noheadings -o name,suspended --select suspended=Suspended`,
          )
        ).trim();
        t.log(`${part} of ${took} ms: ${left}`);
        t.deepEqual(
          (await backend.listSnapshots(call())).map((one) => one.id),
          [],
          'what is half made is no snapshot',
        );
        if (!thin) {
          // A killed lvcreate can leave a device in the kernel under this name, and LVM then refuses the name until it is gone.
          await backend.deleteSnapshot(call(), { id });
          id = newSnapshotId();
        }
        const snapshot = await backend.createSnapshot(call(), { id, volumeId });
        t.is(snapshot.sizeBytes, sizeBytes);
        t.is((await backend.listSnapshots(call())).filter((one) => one.id === id).length, 1);
        t.is(await server().script(`lvchange -y -ay -K ${group.name}/${id}; head -c 4 /dev/${group.name}/${id}`), 'kept');
        await io.write({ kind: 'block', path: locator.path as string }, MiB, Buffer.from('the volume takes writes'));
        await backend.deleteSnapshot(call(), { id });
      }
    },
  );
}

test.serial(
  'createVolume › an lvcreate that was killed at any moment: a repeat makes the volume, and it reads zeros (real lvm2 in a guest)',
  async (t) => {
    const { group, backend } = await openBackend(t, server(), groups);
    await backend.createVolume(call(), { id: newVolumeId(), sizeBytes });
    const store = (await server().script(`vgs --noheadings -o vg_tags ${group.name}`))
      .trim()
      .split(',')
      .find((one) => one.startsWith('vbs.store='));
    const lvcreate = (name: string): string =>
      `lvcreate --yes --wipesignatures y --zero y --size ${sizeBytes}b --name ${name} --addtag ${store} --addtag vbs.state=making --addtag vbs.bytes=${sizeBytes} ${group.name} >/dev/null 2>&1`;
    const took = Number(await server().script(`a=$(date +%s%N); ${lvcreate('timed')}; b=$(date +%s%N); echo $(((b-a)/1000000))`));
    for (const part of [0.4, 0.7, 0.9]) {
      const id = newVolumeId();
      await server().script(`timeout -s KILL ${((took * part) / 1000).toFixed(3)} ${lvcreate(id)} || true`);
      t.log(
        `${part} of ${took} ms: ${(await server().script(`lvs --noheadings -o lv_attr,lv_tags ${group.name}/${id} 2>&1 || true`)).trim()}`,
      );
      t.false(
        (await backend.listVolumes(call())).some((volume) => volume.id === id),
        'half made',
      );
      const { locator } = await backend.createVolume(call(), { id, sizeBytes });
      const path = { kind: 'block', path: locator.path as string } as const;
      t.true(Buffer.from(await io.read(path, 0, sizeBytes)).equals(Buffer.alloc(sizeBytes)));
      await backend.deleteVolume(call(), { id });
    }
  },
);
