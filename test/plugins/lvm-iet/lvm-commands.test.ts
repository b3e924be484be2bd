import test from 'ava';
import { call, type FixtureOptions, MiB, makeBackend, newSnapshotId, newVolumeId } from './lvm-fixture.js';

const sizeBytes = 2 * MiB;

/** The commands of each method, by the first word; `lvm` is the one look. */
const commandsOf = test.macro<[FixtureOptions, Readonly<Record<string, readonly string[]>>]>(async (t, options, wanted) => {
  const { backend, faults } = await makeBackend(t, options);
  const [volumeId, snapshotId, fillId, cloneId] = [newVolumeId(), newSnapshotId(), newVolumeId(), newVolumeId()];
  const seen: Record<string, readonly string[]> = {};
  const note = async (name: string, act: () => Promise<unknown>): Promise<void> => {
    const from = faults.ran.length;
    await act();
    seen[name] = faults.ran.slice(from).map((line) => line.split(' ')[0] ?? '');
  };
  const create = () => backend.createVolume(call(), { id: volumeId, sizeBytes });
  const thin = options.thin === true;
  await note('createVolume', create);
  await note('createVolume again', create);
  await note('extendVolume', () => backend.extendVolume(call(), { id: volumeId, sizeBytes: sizeBytes + MiB }));
  await note('createSnapshot', () => backend.createSnapshot(call(), { id: snapshotId, volumeId }));
  await note('createVolume toBeFilled', () => backend.createVolume(call(), { id: fillId, sizeBytes: sizeBytes + MiB, toBeFilled: true }));
  await note('populateVolume', () => backend.populateVolume(call(), { id: fillId, snapshotId, fromBytes: 0 }));
  if (thin) await note('cloneVolume', () => backend.cloneVolume(call(), { id: cloneId, snapshotId, sizeBytes: sizeBytes + MiB }));
  await note('listVolumes', () => backend.listVolumes(call()));
  await note('listSnapshots', () => backend.listSnapshots(call()));
  await note('getCapacity', () => backend.getCapacity(call()));
  await note('markEpoch', () => backend.markEpoch(call(), { epoch: 2 }));
  await note('markEpoch again', () => backend.markEpoch(call(), { epoch: 2 }));
  await note('deleteSnapshot', () => backend.deleteSnapshot(call(), { id: snapshotId }));
  await note('deleteVolume', () => backend.deleteVolume(call(), { id: volumeId }));
  await note('deleteVolume again', () => backend.deleteVolume(call(), { id: volumeId }));
  t.deepEqual(seen, wanted);
});

const common = {
  'createVolume again': ['lvm'],
  createSnapshot: ['lvm', 'lvcreate', 'lvchange'],
  listVolumes: ['lvm'],
  listSnapshots: ['lvm'],
  getCapacity: ['lvm'],
  markEpoch: ['lvm', 'vgchange'],
  'markEpoch again': ['lvm'],
  deleteSnapshot: ['lvm', 'lvremove'],
  deleteVolume: ['lvm', 'lvremove'],
  'deleteVolume again': ['lvm'],
};

test(
  'every method › thick: runs the commands that it needs, and no other (stand-in LVM)',
  commandsOf,
  {},
  {
    ...common,
    createVolume: ['lvm', 'lvcreate', 'dd', 'dd', 'lvchange'],
    'createVolume toBeFilled': ['lvm', 'lvcreate'],
    extendVolume: ['lvm', 'lvextend', 'dd', 'lvchange'],
    populateVolume: ['lvm', 'dd', 'dd', 'dd', 'lvchange'],
  },
);

test(
  'every method › thin: runs the commands that it needs, and no other (stand-in LVM)',
  commandsOf,
  { thin: true },
  {
    ...common,
    createVolume: ['lvm', 'lvcreate', 'lvchange'],
    'createVolume toBeFilled': ['lvm', 'lvcreate', 'lvchange'],
    extendVolume: ['lvm', 'lvextend'],
    populateVolume: ['lvm', 'lvchange', 'dd', 'dd', 'dd', 'lvchange'],
    cloneVolume: ['lvm', 'lvcreate', 'lvchange'],
  },
);

test('every change › is guarded by the id of what it changes (stand-in LVM)', async (t) => {
  const { backend, machine } = await makeBackend(t);
  const guards = new Set<string | undefined>();
  const run = machine.run.bind(machine);
  machine.run = async (given, command, options) => {
    if (command[0] !== 'lvm') guards.add(options?.guard);
    return await run(given, command, options);
  };
  const id = newVolumeId();
  await backend.createVolume(call({ epoch: 5 }), { id, sizeBytes });
  await backend.extendVolume(call({ epoch: 5 }), { id, sizeBytes: 2 * sizeBytes });
  t.deepEqual([...guards], [id]);
  await t.throwsAsync(backend.deleteVolume(call({ epoch: 4 }), { id }), { code: 'ABORTED' });
  await backend.deleteVolume(call({ epoch: 5 }), { id });
});
