import { interleave, timed } from '../harness/interleave.js';
import type { Bench, Measurement } from '../measurement.js';
import type { Row } from '../row.js';
import { MiB } from '../sizes.js';
import { Typist } from './by-hand.js';
import { node, openLabScene, slot, vm, volumeGroup } from './scene.js';

const volumeMiB = 64;

/** Copies of a volume, against the one command that makes the same. */
export const labClone: Measurement = {
  name: 'clone',
  title: `A volume of ${volumeMiB} MiB from a snapshot, on a guest's LVM: against the bare command`,
  limitMs: { quick: 300_000, full: 600_000 },
  run: measureClone,
};

async function* measureClone(bench: Bench): AsyncGenerator<Row> {
  const { store, lab } = await openLabScene(bench);
  const typist = new Typist(lab, bench);
  const turns = { runs: bench.quick ? 3 : 8, warmUp: 1, signal: bench.signal };
  for (const backend of ['thin', 'thick'] as const) {
    bench.say(`clone, ${backend}`);
    const { id: volumeId } = await store.createVolume({ size: volumeMiB * MiB, backend: `vs1/${backend}` }, { wait: true });
    const { id: snapshotId } = await store.createSnapshot({ volumeId }, { wait: true });
    const from = `/dev/${volumeGroup}/${snapshotId}`;
    const byHand =
      backend === 'thin'
        ? { name: 'lvcreate -s', make: `lvcreate -y -kn -ay -s ${volumeGroup}/${snapshotId} -n by-hand` }
        : {
            name: 'lvcreate and dd',
            make: `lvcreate -y -Wy -Zy -L ${volumeMiB}M -n by-hand ${volumeGroup} && dd if=${from} of=/dev/${volumeGroup}/by-hand bs=4M iflag=direct oflag=direct conv=fsync status=none`,
          };
    const { vbs, hand } = await interleave(
      {
        vbs: {
          run: async () => {
            let made = '';
            const took = await timed(async () => {
              ({ id: made } = await store.createVolume({ snapshotId }, { wait: true }));
            });
            await store.deleteVolume({ volumeId: made }, { wait: true });
            return took;
          },
        },
        hand: {
          run: async () => {
            const took = await timed(() => typist.type('vs1', byHand.make));
            await typist.type('vs1', `lvremove -y ${volumeGroup}/by-hand`);
            return took;
          },
        },
      },
      turns,
    );
    yield { kind: 'measured', what: `clone, ${backend}`, unit: 'ms', vbs, peer: { name: byHand.name, samples: hand }, aims: [] };
  }
}

const many = 1_000;

/** A volume group with many other LVs: what a list and an attach cost then. */
export const labMany: Measurement = {
  name: 'many',
  title: `A volume group with ${many} more LVs`,
  limitMs: { quick: 900_000, full: 1_200_000 },
  run: measureMany,
};

async function* measureMany(bench: Bench): AsyncGenerator<Row> {
  const { store, lab } = await openLabScene(bench);
  const typist = new Typist(lab, bench);
  const turns = { runs: bench.quick ? 3 : 8, warmUp: 1, signal: bench.signal };
  const { id: volumeId } = await store.createVolume({ size: MiB }, { wait: true });
  const attaching = async (): Promise<number> => {
    const took = await timed(() => store.attachVolume({ volumeId, vmmHost: node, vmId: vm, device: slot }, { wait: true }));
    await store.detachVolume({ volumeId }, { wait: true });
    return took;
  };
  const { few } = await interleave({ few: { run: attaching } }, turns);
  bench.say(`making ${many} LVs`);
  // LVM's copies of its metadata would fill the guest's memory.
  const lvcreate = `lvcreate --config 'backup { archive = 0 backup = 0 }'`;
  const made = Array.from({ length: many }, (_, index) => `${lvcreate} -an -Zn -Wn -l 1 -n other${index} ${volumeGroup}`);
  for (let from = 0; from < many; from += 100) {
    bench.signal.throwIfAborted();
    await lab.guest('vs1').script(`lvm <<'END' >/dev/null\n${made.slice(from, from + 100).join('\n')}\nEND`, { timeLimitMs: 300_000 });
  }
  const list = await interleave(
    {
      vbs: { run: () => timed(() => store.describePools()) },
      hand: {
        run: () => timed(() => typist.type('vs1', `lvs --reportformat json -o lv_name,lv_size,lv_attr,lv_tags ${volumeGroup} >/dev/null`)),
      },
    },
    turns,
  );
  yield { kind: 'measured', what: `look at the pool`, unit: 'ms', vbs: list.vbs, peer: { name: 'one lvs', samples: list.hand }, aims: [] };
  const { vbs } = await interleave({ vbs: { run: attaching } }, turns);
  yield { kind: 'measured', what: 'attach', unit: 'ms', vbs, peer: { name: 'attach without them', samples: few }, aims: [] };
}
