import { open, rm } from 'node:fs/promises';
import path from 'node:path';
import { type Contestant, interleave, timed } from '../harness/interleave.js';
import { mountXfs, whyNoMounts } from '../harness/loop-mount.js';
import { runTool, whyMissing } from '../harness/tools.js';
import type { Bench, Measurement } from '../measurement.js';
import type { Row } from '../row.js';
import { GiB, MiB } from '../sizes.js';
import { canReflink } from './can-reflink.js';
import { type CloneScene, type CloneSizes, openCloneScene } from './clone-scene.js';

export interface CloneOptions extends CloneSizes {
  readonly runs: number;
  readonly warmUp: number;
}

const copyLimitMs = 120_000;
const usual = { volumeBytes: 10 * GiB, dataBytes: GiB } as const;

const title = 'Clone of a snapshot of 10 GiB with 1 GiB of data, from the call until the volume is available';

export const cloneByReflink: Measurement = {
  name: 'clone-reflink',
  title: `${title}: on XFS with reflinks`,
  limitMs: { quick: 180_000, full: 300_000 },
  run: (bench) => withReflink({ ...usual, runs: bench.quick ? 5 : 20, warmUp: 1 }, bench),
};

export const cloneByCopy: Measurement = {
  name: 'clone-copy',
  title: `${title}: on a file system that copies`,
  limitMs: { quick: 300_000, full: 900_000 },
  run: (bench) => withoutReflink({ ...usual, runs: bench.quick ? 3 : 9, warmUp: 1 }, bench),
};

/** On a file system that shares blocks: nothing is copied. */
export async function* withReflink(options: CloneOptions, bench: Bench): AsyncGenerator<Row> {
  const what = 'clone by reflink, on a loop device';
  const reason = whyNoMounts() ?? (await whyMissing([['mkfs.xfs', '-V']], bench.signal));
  if (reason !== null) {
    yield { kind: 'skipped', what, reason };
    return;
  }
  const folder = await mountXfs(bench, options.dataBytes + 2 * GiB);
  bench.say(`writing ${options.dataBytes / MiB} MiB to XFS`);
  const scene = await openCloneScene(folder, options, bench);
  const { vbs } = await interleave({ vbs: cloning(scene, bench) }, { ...options, signal: bench.signal });
  yield { kind: 'measured', what, unit: 'ms', vbs, aims: [{ kind: 'at-most', value: 50 }] };
}

/** On a file system that copies: against cp, which also has to bring its copy to the medium. */
export async function* withoutReflink(options: CloneOptions, bench: Bench): AsyncGenerator<Row> {
  const what = 'clone by copy, synced';
  const { directory, signal } = bench;
  if (await canReflink(directory)) {
    yield { kind: 'skipped', what, reason: 'the folder lies on a file system with reflinks: name another with --directory' };
    return;
  }
  bench.say(`writing ${options.dataBytes / MiB} MiB to the folder's own file system`);
  const scene = await openCloneScene(directory, options, bench);
  const contestants = { vbs: cloning(scene, bench), cp: copying(scene, path.join(directory, 'copy-by-cp'), signal) };
  const { vbs, cp } = await interleave(contestants, { ...options, signal });
  const peer = { name: 'cp --sparse=always, fsync', samples: cp };
  yield { kind: 'measured', what, unit: 'ms', vbs, peer, aims: [{ kind: 'ratio-at-most', value: 1.2 }] };
}

/** The clone is deleted outside the time that counts. */
function cloning({ store, snapshotId }: CloneScene, { signal }: Bench): Contestant {
  return {
    async run() {
      let volumeId = '';
      const took = await timed(async () => {
        ({ id: volumeId } = await store.createVolume({ snapshotId }, { wait: true, signal }));
      });
      await store.deleteVolume({ volumeId }, { wait: true });
      return took;
    },
  };
}

/** VBS answers when the bytes are on the medium: cp has to bring its own there too. */
function copying({ snapshotFile }: CloneScene, target: string, signal: AbortSignal): Contestant {
  return {
    async run() {
      const took = await timed(async () => {
        await runTool(['cp', '--sparse=always', '--', snapshotFile, target], { signal, limitMs: copyLimitMs });
        const copy = await open(target, 'r');
        try {
          await copy.sync();
        } finally {
          await copy.close();
        }
      });
      await rm(target);
      return took;
    },
  };
}
