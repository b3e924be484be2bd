import { setTimeout as pause } from 'node:timers/promises';
import { volumeBackendConformance } from '@vbs/conformance';
import filePlugin from '@vbs/plugin-file';
import test from 'ava';
import { noXfs } from '../plugins/file/mounts.js';
import { breakPlugin, type Defect } from './break-plugin.js';
import { fileIo } from './file-io.js';
import { ofSameMethods, runKit } from './run-kit.js';
import { xfsPools } from './xfs-pools.js';

const onXfs = noXfs ? test.skip : test.serial;
const newPool = xfsPools(test);

/** A backend with reflinks and the defect fails exactly this of the tests of its method. */
const caught = test.macro({
  title: (told, title: string) =>
    `volumeBackendConformance › ${told}: caught by ${title} (${noXfs ? `skipped: ${noXfs}` : 'XFS on a loop device'})`,
  exec: async (t, title: string, defect: Defect<'volumeBackend'>) => {
    t.timeout(120_000);
    const plugin = breakPlugin(filePlugin, 'volumeBackend', defect);
    const setup = { config: async () => ({ directory: await newPool() }), io: fileIo, sizeBytes: 256 * 1024, settleLimitMs: 2_000 };
    const { failed } = await runKit((collect) => volumeBackendConformance(collect, plugin, setup), ofSameMethods('volumeBackend', [title]));
    t.deepEqual([...failed.keys()], [`volumeBackend › ${title}`]);
  },
});

onXfs('the start of a snapshot is older than its end', caught, 'createSnapshot › is of one instant while the volume is written to', {
  methods: (real) => {
    const starts = new Map<string, Buffer>();
    return {
      createSnapshot: async (call, request) => {
        const volume = (await real.listVolumes(call)).find(({ id }) => id === request.volumeId);
        if (volume !== undefined && !starts.has(request.id)) starts.set(request.id, await fileIo.read(volume.locator as never, 0, 8));
        await pause(20);
        return real.createSnapshot(call, request);
      },
      populateVolume: async (call, request) => {
        const into = await real.populateVolume(call, request);
        const start = starts.get(request.snapshotId);
        if (start !== undefined) await fileIo.write(into.locator as never, 0, start);
        return into;
      },
    };
  },
});

onXfs('a repeated clone is made anew', caught, 'cloneVolume › is idempotent', {
  methods: (real) => ({
    cloneVolume: async (call, request) => {
      const there = (await real.listVolumes(call)).find((volume) => volume.id === request.id && volume.sizeBytes === request.sizeBytes);
      const clone = await real.cloneVolume(call, request);
      if (there === undefined || call.signal.aborted) return clone;
      await real.deleteVolume(call, { id: request.id });
      return real.cloneVolume(call, request);
    },
  }),
});

onXfs('a clone writes into the snapshot', caught, 'cloneVolume › makes a volume whose writes reach neither snapshot nor other clones', {
  methods: (real) => {
    const clones = new Map<string, string[]>();
    return {
      cloneVolume: async (call, request) => {
        const clone = await real.cloneVolume(call, request);
        clones.set(request.snapshotId, [...(clones.get(request.snapshotId) ?? []), request.id]);
        return clone;
      },
      populateVolume: async (call, request) => {
        const into = await real.populateVolume(call, request);
        const [first] = clones.get(request.snapshotId) ?? [];
        const from = (await real.listVolumes(call)).find(({ id }) => id === first);
        if (from !== undefined) await fileIo.write(into.locator as never, 0, await fileIo.read(from.locator as never, 0, 4096));
        return into;
      },
    };
  },
});
