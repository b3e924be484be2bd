import { setTimeout as pause } from 'node:timers/promises';
import { type BackendVolume, type Call, isVbsError, VbsError } from '@vbs/core';
import test from 'ava';
import { caught, run, settleLimitMs, sizeBytes } from './broken-file-backend.js';
import { fileIo } from './file-io.js';

const garbage = Buffer.alloc(512, 0xee);

function spoil({ locator }: BackendVolume, offset: number): Promise<void> {
  return fileIo.write(locator as { kind: 'file'; path: string }, offset, garbage);
}

function unaborted(call: Call): Call {
  return { ...call, signal: AbortSignal.timeout(10_000) };
}

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
