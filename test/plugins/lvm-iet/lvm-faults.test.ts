import { type Call, VbsError } from '@vbs/core';
import test from 'ava';
import { type ToolFault, toolFaults } from '../../stand-ins/frame/faults.js';
import { type Backend, call, KiB, type LvmFixture, MiB, makeBackend, newSnapshotId, newVolumeId } from './lvm-fixture.js';

const sizeBytes = 2 * MiB;
const mostCommands = 24;
const foreign = 'operators-own';
const content = Buffer.alloc(sizeBytes, 'content of a volume ');

/** One act, and whether what it was about is right once it was repeated. */
interface Trial {
  act(backend: Backend, call: Call): Promise<unknown>;
  isRight(backend: Backend): Promise<boolean>;
}
type Prepare = (fixture: LvmFixture, backend: Backend) => Promise<Trial>;

/** Acts with the fault at each command in turn, until the act ends without meeting it; then who comes after repeats it. */
const everyCommand = test.macro<[ToolFault, Prepare, { thin: boolean; wipe?: 'zero' | 'discard' }]>(
  async (t, fault, prepare, { thin, wipe }) => {
    t.timeout(120_000);
    const config = { ...(thin ? { maxOvercommit: 1_000 } : {}), ...(wipe === undefined ? {} : { wipe }) };
    const fixture = await makeBackend(t, { thin, extents: 4_000, config });
    const { world, faults, backend } = fixture;
    world.make(foreign, 256 * KiB);
    const untouched = await fixture.read(foreign);
    const namesBefore = [...world.lvs.keys()];
    let met = 0;
    let after = backend;
    for (let nth = 1; nth <= mostCommands; nth++) {
      const { act, isRight } = await prepare(fixture, after);
      faults.arm(nth, fault);
      const error = await act(after, call({ epoch: 2 * nth })).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      const isOver = faults.met === 0;
      const what = `${fault} at command ${nth}: ${faults.ran.at(-1)}`;
      faults.disarm();
      if (isOver) t.is(error, undefined, 'without a fault it succeeds');
      else t.true(error instanceof VbsError, `${what}: ${error}`);
      met += isOver ? 0 : 1;
      after = (await fixture.open({ knowsPool: true })).contract;
      const later = call({ epoch: 2 * nth + 1 });
      await act(after, later);
      t.true(await isRight(after), what);
      for (const { id } of await after.listSnapshots(later)) await after.deleteSnapshot(later, { id });
      for (const { id } of await after.listVolumes(later)) await after.deleteVolume(later, { id });
      t.deepEqual([...world.lvs.keys()], namesBefore, `${what}: an LV leaked`);
      t.deepEqual(await fixture.read(foreign), untouched, what);
      if (isOver) break;
    }
    t.true(met >= 2, 'hardly a command was met');
  },
);

const acts: Readonly<Record<string, Prepare>> = {
  createVolume: async ({ read }) => {
    const id = newVolumeId();
    return {
      act: (backend, given) => backend.createVolume(given, { id, sizeBytes }),
      isRight: async (backend) => (await isListed(backend, id, sizeBytes)) && (await read(id)).equals(Buffer.alloc(sizeBytes)),
    };
  },
  'createVolume toBeFilled': async () => {
    const id = newVolumeId();
    return {
      act: (backend, given) => backend.createVolume(given, { id, sizeBytes, toBeFilled: true }),
      isRight: async (backend) => (await backend.listVolumes(call())).some((volume) => volume.id === id && volume.filling === true),
    };
  },
  deleteVolume: async (fixture, backend) => {
    const id = await filledVolume(fixture, backend);
    return {
      act: (target, given) => target.deleteVolume(given, { id }),
      isRight: async () => !fixture.world.lvs.has(id),
    };
  },
  createSnapshot: async (fixture, backend) => {
    const volumeId = await filledVolume(fixture, backend);
    const id = newSnapshotId();
    return {
      act: (target, given) => target.createSnapshot(given, { id, volumeId }),
      isRight: async (target) => {
        const [snapshot] = (await target.listSnapshots(call())).filter((one) => one.id === id);
        return snapshot?.sizeBytes === sizeBytes && (await fixture.read(id)).equals(content);
      },
    };
  },
  deleteSnapshot: async (fixture, backend) => {
    const volumeId = await filledVolume(fixture, backend);
    const id = newSnapshotId();
    await backend.createSnapshot(call({ epoch: 99 }), { id, volumeId });
    return {
      act: (target, given) => target.deleteSnapshot({ ...given, epoch: given.epoch + 99 }, { id }),
      isRight: async (target) => !fixture.world.lvs.has(id) && (await isListed(target, volumeId, sizeBytes)),
    };
  },
  populateVolume: async (fixture, backend) => {
    const volumeId = await filledVolume(fixture, backend);
    const [id, snapshotId] = [newVolumeId(), newSnapshotId()];
    await backend.createSnapshot(call(), { id: snapshotId, volumeId });
    const larger = sizeBytes + MiB;
    await backend.createVolume(call(), { id, sizeBytes: larger, toBeFilled: true });
    let fromBytes = 0;
    const progress = (doneBytes: number): void => {
      fromBytes = doneBytes;
    };
    return {
      act: (target, given) => target.populateVolume({ ...given, progress }, { id, snapshotId, fromBytes }),
      isRight: async (target) =>
        (await isListed(target, id, larger)) && (await fixture.read(id)).equals(Buffer.concat([content, Buffer.alloc(MiB)])),
    };
  },
  extendVolume: async (fixture, backend) => {
    const id = await filledVolume(fixture, backend);
    const larger = 2 * sizeBytes;
    return {
      act: (target, given) => target.extendVolume(given, { id, sizeBytes: larger }),
      isRight: async (target) =>
        (await isListed(target, id, larger)) && (await fixture.read(id)).equals(Buffer.concat([content, Buffer.alloc(sizeBytes)])),
    };
  },
};

const cloning: Prepare = async (fixture, backend) => {
  const volumeId = await filledVolume(fixture, backend);
  const [id, snapshotId] = [newVolumeId(), newSnapshotId()];
  await backend.createSnapshot(call(), { id: snapshotId, volumeId });
  const larger = sizeBytes + MiB;
  return {
    act: (target, given) => target.cloneVolume(given, { id, snapshotId, sizeBytes: larger }),
    isRight: async (target) =>
      (await isListed(target, id, larger)) && (await fixture.read(id)).equals(Buffer.concat([content, Buffer.alloc(MiB)])),
  };
};

// One after the other: side by side they wait for each other's bytes for longer than their calls may take.
for (const fault of toolFaults) {
  for (const [name, prepare] of Object.entries(acts)) {
    for (const thin of [false, true]) {
      const kind = thin ? 'thin' : 'thick';
      test.serial(
        `${name} › ${kind}, a command ${fault}: a repeat makes it right, and nothing leaks (stand-in LVM)`,
        everyCommand,
        fault,
        prepare,
        { thin },
      );
    }
  }
  test.serial(`cloneVolume › a command ${fault}: a repeat makes it right, and nothing leaks (stand-in LVM)`, everyCommand, fault, cloning, {
    thin: true,
  });
  for (const wipe of ['zero', 'discard'] as const) {
    const title = `deleteVolume › with wipe ${wipe}, a command ${fault}: a repeat takes it away (stand-in LVM)`;
    test.serial(title, everyCommand, fault, acts.deleteVolume as Prepare, { thin: false, wipe });
  }
}

const marking = test.macro<[ToolFault]>(async (t, fault) => {
  for (let nth = 1; nth <= 4; nth++) {
    const { backend, faults, open } = await makeBackend(t);
    await backend.markEpoch(call(), { epoch: 3 });
    faults.arm(nth, fault);
    await backend.markEpoch(call(), { epoch: 7 }).catch((error: unknown) => t.true(error instanceof VbsError));
    const met = faults.met;
    faults.disarm();
    const later = (await open({ knowsPool: true })).contract;
    t.true((await later.markEpoch(call({ epoch: 2 }), { epoch: 1 })).epoch >= 3, 'never lower');
    t.is((await later.markEpoch(call({ epoch: 2 }), { epoch: 7 })).epoch, 7);
    if (met === 0) return;
  }
});
for (const fault of toolFaults)
  test.serial(`markEpoch › a command ${fault}: the mark is never lowered, and a repeat raises it (stand-in LVM)`, marking, fault);

async function filledVolume({ write }: LvmFixture, backend: Backend): Promise<string> {
  const id = newVolumeId();
  await backend.createVolume(call(), { id, sizeBytes });
  await write(id, 0, content);
  return id;
}

async function isListed(backend: Backend, id: string, bytes: number): Promise<boolean> {
  return (await backend.listVolumes(call())).some((volume) => volume.id === id && volume.sizeBytes === bytes && volume.filling !== true);
}
