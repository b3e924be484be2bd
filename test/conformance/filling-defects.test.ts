import { symlink } from 'node:fs/promises';
import type { BackendVolume } from '@vbs/core';
import test from 'ava';
import { caught } from './broken-file-backend.js';
import { fileIo } from './file-io.js';

function asWhole({ filling: _, ...volume }: BackendVolume): BackendVolume {
  return volume;
}

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
