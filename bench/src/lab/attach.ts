import { interleave, timed } from '../harness/interleave.js';
import type { Bench, Measurement } from '../measurement.js';
import type { Row } from '../row.js';
import { MiB } from '../sizes.js';
import { attachByHand, detachByHand, startOwnTgtd, Typist } from './by-hand.js';
import { type LabScene, node, openLabScene, slot, thinPool, vm, volumeGroup } from './scene.js';

const aims = [{ kind: 'ratio-at-most', value: 1.1 }] as const;
const title = 'LV, tgt, iSCSI, between two guests';

/** The road through BlockStore over SSH, against the commands that an operator types over SSH. */
export const labAttach: Measurement = {
  name: 'attach',
  title: `${title}: attach and detach, against the same by hand`,
  limitMs: { quick: 300_000, full: 600_000 },
  run: measureAttach,
};

async function* measureAttach(bench: Bench): AsyncGenerator<Row> {
  const scene = await openLabScene(bench);
  const { store, lab } = scene;
  const typist = new Typist(lab, bench);
  await startOwnTgtd(typist, lab.guest('vs1').address);
  await lab.guest('vs1').script(`lvcreate -q -y -V 64M -T ${volumeGroup}/${thinPool} -n by-hand`);
  const { id: volumeId } = await store.createVolume({ size: 64 * MiB }, { wait: true });
  const lists = await commandsOf(scene, volumeId, bench);
  const times = { attach: { vbs: [] as number[], hand: [] as number[] }, detach: { vbs: [] as number[], hand: [] as number[] } };
  const keep = (turn: number, samples: number[], took: number): number => {
    if (turn >= 0) samples.push(took);
    return took;
  };
  await interleave(
    {
      vbs: {
        run: async (turn) => {
          const attach = await timed(() => store.attachVolume({ volumeId, vmmHost: node, vmId: vm, device: slot }, { wait: true }));
          const detach = await timed(() => store.detachVolume({ volumeId }, { wait: true }));
          return keep(turn, times.attach.vbs, attach) + keep(turn, times.detach.vbs, detach);
        },
      },
      hand: {
        run: async (turn) => {
          const attach = await timed(() => attachByHand(typist, lab, `/dev/${volumeGroup}/by-hand`));
          const detach = await timed(() => detachByHand(typist, lab));
          return keep(turn, times.attach.hand, attach) + keep(turn, times.detach.hand, detach);
        },
      },
    },
    { runs: bench.quick ? 3 : 10, warmUp: 1, signal: bench.signal },
  );
  for (const act of ['attach', 'detach'] as const) {
    const { vbs, hand } = times[act];
    yield { kind: 'measured', what: act, unit: 'ms', vbs, peer: { name: 'the commands typed one after another', samples: hand }, aims };
    yield { kind: 'measured', what: `${act}: commands run`, unit: 'commands', vbs: [lists[act]], aims: [] };
  }
}

/** What VBS runs for each of the two; told line by line. */
async function commandsOf({ store, recorder }: LabScene, volumeId: string, { say }: Bench): Promise<{ attach: number; detach: number }> {
  const told = async (what: string, act: () => Promise<unknown>): Promise<number> => {
    const began = performance.now();
    const asked = await recorder.during(act);
    for (const { machine, kind, words, askedMs, tookMs } of asked)
      say(`${what}: ${(askedMs - began).toFixed(0)} + ${tookMs?.toFixed(0) ?? '…'} ms: ${machine}: ${kind} ${words}`);
    return asked.filter(({ kind }) => kind === 'run').length;
  };
  return {
    attach: await told('attach', () => store.attachVolume({ volumeId, vmmHost: node, vmId: vm, device: slot }, { wait: true })),
    detach: await told('detach', () => store.detachVolume({ volumeId }, { wait: true })),
  };
}
