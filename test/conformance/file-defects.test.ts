import { symlink } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { volumeBackendConformance } from '@vbs/conformance';
import { type BackendVolume, type Call, isVbsError, VbsError } from '@vbs/core';
import filePlugin from '@vbs/plugin-file';
import test from 'ava';
import { breakPlugin, type Defect } from './break-plugin.js';
import { fileIo } from './file-io.js';
import { ofSameMethods, runKit } from './run-kit.js';

const sizeBytes = 256 * 1024;
const settleLimitMs = 2_000;
const garbage = Buffer.alloc(512, 0xee);

function run(defect: Defect<'volumeBackend'>, wanted?: (title: string) => boolean) {
  const plugin = breakPlugin(filePlugin, 'volumeBackend', defect);
  const setup = { config: (directory: string) => ({ directory }), io: fileIo, sizeBytes, settleLimitMs };
  return runKit((collect) => volumeBackendConformance(collect, plugin, setup), wanted);
}

function spoil({ locator }: BackendVolume, offset: number): Promise<void> {
  return fileIo.write(locator as { kind: 'file'; path: string }, offset, garbage);
}

function asWhole({ filling: _, ...volume }: BackendVolume): BackendVolume {
  return volume;
}

function unaborted(call: Call): Call {
  return { ...call, signal: AbortSignal.timeout(10_000) };
}

/** A backend with the defect fails exactly these of the tests of their methods. */
const caught = test.macro({
  title: (told, ...[titles]: readonly [readonly string[], Defect<'volumeBackend'>]) =>
    `volumeBackendConformance › ${told}: caught by ${titles[0]}`,
  exec: async (t, titles: readonly string[], defect: Defect<'volumeBackend'>) => {
    t.timeout(120_000);
    const { failed } = await run(defect, ofSameMethods('volumeBackend', titles));
    t.deepEqual([...failed.keys()].sort(), titles.map((title) => `volumeBackend › ${title}`).sort());
  },
});

test.serial('volumeBackendConformance › a backend without a defect fails nothing', async (t) => {
  t.timeout(120_000);
  const { failed, passed } = await run({});
  t.deepEqual([...failed], []);
  t.true(passed.length > 60);
});

test.serial('a repeated create empties the volume', caught, ['createVolume › is idempotent'], {
  methods: (real) => ({
    createVolume: async (call, request) => {
      const there = (await real.listVolumes(call)).find(({ id }) => id === request.id);
      const volume = await real.createVolume(call, request);
      if (there !== undefined && !request.toBeFilled) await fileIo.write(volume.locator as never, 0, Buffer.alloc(4096));
      return volume;
    },
  }),
});

test.serial(
  'another size under the same id is answered as it is',
  caught,
  ['createVolume › refuses an id that has another size with ALREADY_EXISTS'],
  {
    methods: (real) => ({
      createVolume: async (call, request) => {
        const there = (await real.listVolumes(call)).find(({ id }) => id === request.id);
        return there === undefined || there.filling ? real.createVolume(call, request) : there;
      },
    }),
  },
);

test.serial(
  'room that was used before is given out as it was left',
  caught,
  ['createVolume › makes a volume that reads zeros everywhere'],
  {
    methods: (real) => {
      const used = new Set<string>();
      return {
        createVolume: async (call, request) => {
          const volume = await real.createVolume(call, request);
          if (used.has(request.id)) await spoil(volume, request.sizeBytes - 512);
          return volume;
        },
        deleteVolume: async (call, request) => {
          used.add(request.id);
          await real.deleteVolume(call, request);
        },
      };
    },
  },
);

test.serial(
  'half a volume stays where a create was aborted',
  caught,
  ['createVolume › settles soon when it is aborted, and leaves no half volume'],
  {
    methods: (real) => ({
      createVolume: async (call, request) => {
        try {
          return await real.createVolume(call, request);
        } catch (error) {
          if (call.signal.aborted) await real.createVolume(unaborted(call), { ...request, sizeBytes: request.sizeBytes / 2 });
          throw error;
        }
      },
    }),
  },
);

test.serial('a size below zero is taken for the least one', caught, ['createVolume › refuses a size that is none, and makes nothing'], {
  methods: (real) => ({
    createVolume: (call, request) => real.createVolume(call, request.sizeBytes < 0 ? { ...request, sizeBytes: 512 } : request),
  }),
});

test.serial('ids are taken in any case', caught, ['createVolume › refuses an id that is no volume id, and changes nothing'], {
  methods: (real) => ({ createVolume: (call, request) => real.createVolume(call, { ...request, id: request.id.toLowerCase() }) }),
});

test.serial('a create spoils a neighbour', caught, ['createVolume › leaves its neighbours alone'], {
  methods: (real) => ({
    createVolume: async (call, request) => {
      const volumes = await real.listVolumes(call);
      const snapshots = await real.listSnapshots(call);
      const made = await real.createVolume(call, request);
      const [neighbour] = volumes;
      if (neighbour !== undefined && volumes.length === 1 && snapshots.length === 1) await spoil(neighbour, 100_000);
      return made;
    },
  }),
});

test.serial('an absent volume cannot be deleted', caught, ['deleteVolume › succeeds for what is absent'], {
  methods: (real) => {
    const made = new Set<string>();
    return {
      createVolume: async (call, request) => {
        made.add(request.id);
        return real.createVolume(call, request);
      },
      deleteVolume: async (call, request) => {
        await real.deleteVolume(call, request);
        if (!made.has(request.id)) throw new VbsError('NOT_FOUND', `${request.id} is not there`);
      },
    };
  },
});

test.serial(
  'an abort of a delete is not heard',
  caught,
  ['deleteVolume › settles soon when it is aborted, and a repeat takes the volume away'],
  {
    methods: (real) => ({
      deleteVolume: async (call, request) => {
        await real.deleteVolume(unaborted(call), request);
        if (call.signal.aborted) await pause(settleLimitMs * 1.5);
      },
    }),
  },
);

test.serial(
  'a delete takes the snapshots of the volume with it',
  caught,
  ['deleteVolume › never takes the content of a snapshot with it'],
  {
    methods: (real) => ({
      deleteVolume: async (call, request) => {
        for (const { id, volumeId } of await real.listSnapshots(call)) {
          if (volumeId === request.id) await real.deleteSnapshot(call, { id });
        }
        await real.deleteVolume(call, request);
      },
    }),
  },
);

test.serial(
  'a lost lease is not noticed',
  caught,
  ['deleteVolume › refuses a call with a lower epoch than one that was seen, with ABORTED'],
  {
    methods: (real) => ({
      deleteVolume: async (call, request) => {
        try {
          await real.deleteVolume(call, request);
        } catch (error) {
          if (!isVbsError(error) || error.code !== 'ABORTED' || call.signal.aborted) throw error;
          await real.deleteVolume({ ...call, epoch: call.epoch + 1 }, request);
        }
      },
    }),
  },
);

test.serial('the list is cut off after a restart', caught, ['open › finds everything again after a restart'], {
  methods: (real, { store }) => (store.knowsPool ? { listVolumes: async () => [] } : { listVolumes: (call) => real.listVolumes(call) }),
});

test.serial(
  'the list omits the largest of three',
  caught,
  ['listVolumes › lists each volume once, with its size and locator, and nothing else'],
  {
    methods: (real) => ({
      listVolumes: async (call) => {
        const all = await real.listVolumes(call);
        const snapshots = await real.listSnapshots(call);
        return all.length === 3 && snapshots.length === 0 ? all.filter((volume) => volume.sizeBytes !== sizeBytes * 2) : all;
      },
    }),
  },
);

test.serial('the pool of another store is taken', caught, ['open › refuses the pool of another store, and changes nothing in it'], {
  instance: (instance) => ({ ...instance, store: { ...instance.store, id: '0'.repeat(32) } }),
});

test.serial(
  'a known pool is marked again',
  caught,
  ['open › answers UNAVAILABLE for a known pool without its mark, and does not mark it'],
  {
    instance: (instance) => ({ ...instance, store: { ...instance.store, knowsPool: false } }),
  },
);

test.serial('any key is taken', caught, ['open › refuses a configuration with a key that its schema does not know'], {
  provider: { configSchema: { type: 'object', properties: { directory: { type: 'string' } } } },
});

test.serial('a fault is told where there is none', caught, ['check › finds no fault where there is none'], {
  opened: { check: async () => ['the pool is haunted'] },
});

test.serial('what was promised is not counted', caught, ['getCapacity › counts what was promised'], {
  methods: (real) => ({ getCapacity: async (call) => ({ ...(await real.getCapacity(call)), provisionedBytes: 0 }) }),
});

test.serial('the highest epoch is forgotten', caught, ['markEpoch › keeps the highest epoch of the pool, also after a restart'], {
  methods: () => ({ markEpoch: async (_call, { epoch }) => ({ epoch }) }),
});

const keeps = 'createSnapshot › keeps the content of the call, whatever is written later';
const never = 'createSnapshot › is idempotent, and never takes the snapshot again';

test.serial('a snapshot shares the bytes of its volume', caught, [keeps, never], {
  methods: (real) => ({
    populateVolume: async (call, request) => {
      const into = await real.populateVolume(call, request);
      const { volumeId } = (await real.listSnapshots(call)).find(({ id }) => id === request.snapshotId) ?? {};
      const from = (await real.listVolumes(call)).find(({ id }) => id === volumeId);
      if (from !== undefined) await fileIo.write(into.locator as never, 0, await fileIo.read(from.locator as never, 0, from.sizeBytes));
      return into;
    },
  }),
});

test.serial('a repeated snapshot is taken again', caught, [never], {
  methods: (real) => ({
    createSnapshot: async (call, request) => {
      const first = await real.createSnapshot(call, request);
      const written = (await real.listVolumes(call)).find(({ id }) => id === request.volumeId);
      if (written === undefined || call.signal.aborted) return first;
      await real.deleteSnapshot(call, { id: request.id });
      return real.createSnapshot(call, request);
    },
  }),
});

test.serial(
  'a snapshot of another volume is answered',
  caught,
  ['createSnapshot › refuses the id of a snapshot of another volume with ALREADY_EXISTS'],
  {
    methods: (real) => ({
      createSnapshot: async (call, request) => {
        const there = (await real.listSnapshots(call)).find(({ id }) => id === request.id);
        return there ?? real.createSnapshot(call, request);
      },
    }),
  },
);

test.serial('a snapshot takes others of its volume with it', caught, ['deleteSnapshot › takes the snapshot away, and nothing else'], {
  methods: (real) => ({
    deleteSnapshot: async (call, { id }) => {
      const all = await real.listSnapshots(call);
      const volumeId = all.find((snapshot) => snapshot.id === id)?.volumeId;
      for (const snapshot of all)
        if (snapshot.volumeId === volumeId || snapshot.id === id) await real.deleteSnapshot(call, { id: snapshot.id });
      await real.deleteSnapshot(call, { id });
    },
  }),
});

test.serial('a fill does not go on', caught, ['populateVolume › goes on from the middle'], {
  methods: (real) => ({
    populateVolume: (call, request) => real.populateVolume(call, request.fromBytes === 0 ? request : { ...request, fromBytes: sizeBytes }),
  }),
});

test.serial('progress falls', caught, ['populateVolume › reports progress that never falls and ends at the total'], {
  methods: (real) => ({
    populateVolume: async (call, request) => {
      const filled = await real.populateVolume(call, request);
      call.progress(0, sizeBytes);
      return filled;
    },
  }),
});

test.serial(
  'the least legal size is not told',
  caught,
  ['populateVolume › answers OUT_OF_RANGE, and the least legal size, for a smaller volume'],
  {
    methods: (real) => ({
      populateVolume: (call, request) =>
        real.populateVolume(call, request).catch((error: unknown) => {
          if (isVbsError(error) && error.code === 'OUT_OF_RANGE') throw new VbsError('OUT_OF_RANGE', 'too small');
          throw error;
        }),
    }),
  },
);

test.serial(
  'a fill leaves garbage behind the end of the snapshot',
  caught,
  ["populateVolume › gives a volume the snapshot's bytes, and zeros behind them"],
  {
    methods: (real) => ({
      populateVolume: async (call, request) => {
        const into = await real.populateVolume(call, request);
        if (into.sizeBytes > sizeBytes) await spoil(into, into.sizeBytes - 512);
        return into;
      },
    }),
  },
);

const notWhole = 'createVolume › makes a volume to be filled that is not whole, also after a restart and when it is asked for again';
const neverAsWhole = 'createVolume › never answers a volume that is to be filled as a whole one, but ALREADY_EXISTS';
const wholeAtItsEnd = 'populateVolume › makes the volume whole, where it answers that it is, and leaves it so after a restart';
const nothingHalf =
  'populateVolume › settles soon when it is aborted, leaves nothing half that is listed as whole, and goes on from its progress';

test.serial('a volume to be filled is whole from the start', caught, [notWhole, neverAsWhole], {
  methods: (real) => ({
    createVolume: async (call, { toBeFilled, ...request }) => {
      const snapshots = await real.listSnapshots(call);
      return real.createVolume(call, toBeFilled && snapshots.length > 0 ? { ...request, toBeFilled } : request);
    },
  }),
});

test.serial('a volume to be filled is whole after a restart', caught, [notWhole], {
  methods: (real, { store }) => ({
    listVolumes: async (call) => (await real.listVolumes(call)).map((volume) => (store.knowsPool ? asWhole(volume) : volume)),
  }),
});

test.serial('a volume whose fill was interrupted is listed as whole', caught, [nothingHalf], {
  methods: (real) => {
    const interrupted = new Set<string>();
    return {
      listVolumes: async (call) => (await real.listVolumes(call)).map((volume) => (interrupted.has(volume.id) ? asWhole(volume) : volume)),
      populateVolume: (call, request) =>
        real.populateVolume(call, request).catch((error: unknown) => {
          if (call.signal.aborted) interrupted.add(request.id);
          throw error;
        }),
    };
  },
});

test.serial('a filled volume lies elsewhere than is answered', caught, [wholeAtItsEnd], {
  methods: (real) => {
    const elsewhere = new Map<string, BackendVolume>();
    return {
      populateVolume: async (call, request) => {
        const volume = await real.populateVolume(call, request);
        const { path } = volume.locator as { readonly path: string };
        const told = elsewhere.get(volume.id) ?? { ...volume, locator: { kind: 'file', path: `${path}.other` } as const };
        if (!elsewhere.has(volume.id)) await symlink(path, `${path}.other`);
        elsewhere.set(volume.id, told);
        return told;
      },
    };
  },
});

test.serial(
  'a repeated fill copies again',
  caught,
  ['populateVolume › answers a volume that is whole as it is, and copies nothing into it'],
  {
    methods: (real) => {
      const filled = new Map<string, Buffer>();
      return {
        populateVolume: async (call, request) => {
          const volume = await real.populateVolume(call, request);
          const before = filled.get(request.id);
          if (before !== undefined) await fileIo.write(volume.locator as never, 0, before);
          filled.set(request.id, await fileIo.read(volume.locator as never, 0, volume.sizeBytes));
          return volume;
        },
      };
    },
  },
);

const refusesHalf = 'refuses a volume that is not whole yet with FAILED_PRECONDITION';

test.serial('a snapshot is taken of a volume that is not whole', caught, [`createSnapshot › ${refusesHalf}`], {
  methods: (real) => ({
    createSnapshot: async (call, request) => {
      const volume = (await real.listVolumes(call)).find(({ id }) => id === request.volumeId);
      return volume?.filling === true ? { ...request, sizeBytes: volume.sizeBytes } : real.createSnapshot(call, request);
    },
  }),
});

test.serial('a volume that is not whole is extended', caught, [`extendVolume › ${refusesHalf}`], {
  methods: (real) => ({
    extendVolume: async (call, request) => {
      const volume = (await real.listVolumes(call)).find(({ id }) => id === request.id);
      return volume?.filling === true ? { ...volume, sizeBytes: request.sizeBytes } : real.extendVolume(call, request);
    },
  }),
});

test.serial(
  'a delete leaves what was to be filled',
  caught,
  ['deleteVolume › takes away a volume that is to be filled, before and in the middle of its fill'],
  {
    methods: (real) => {
      const kept = new Set<string>();
      return {
        deleteVolume: async (call, request) => {
          const volume = (await real.listVolumes(call)).find(({ id }) => id === request.id);
          // Not for ever, so that the test's own end can clear up.
          if (volume?.filling === true && call.epoch < 1_000) kept.add(request.id);
          else if (!kept.has(request.id) || call.epoch >= 1_000) await real.deleteVolume(call, request);
        },
      };
    },
  },
);

test.serial('an extended volume shows old bytes', caught, ['extendVolume › keeps the old bytes, and adds zeros'], {
  methods: (real) => ({
    extendVolume: async (call, request) => {
      const volume = await real.extendVolume(call, request);
      if (request.sizeBytes > sizeBytes * 2) await spoil(volume, sizeBytes + 4096);
      return volume;
    },
  }),
});

test.serial(
  'a smaller size shrinks the volume',
  caught,
  ['extendVolume › answers a volume that is already as large as it is, and never shrinks it'],
  {
    methods: (real) => ({
      extendVolume: async (call, request) => {
        const volume = await real.extendVolume(call, request);
        return request.sizeBytes <= sizeBytes && volume.sizeBytes === sizeBytes * 2 ? { ...volume, sizeBytes: request.sizeBytes } : volume;
      },
    }),
  },
);
