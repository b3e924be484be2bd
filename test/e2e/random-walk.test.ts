import { createHash, randomInt } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { KiB, newStore, sameBytes, someBytes, type TestStore, vmmHost } from '../support/store.js';

const steps = 80;
const slots = ['xvdb', 'xvdc', 'xvdd'] as const;

interface KnownVolume {
  bytes: Buffer;
  place: { readonly vmId: string; readonly device: string } | undefined;
}

/** The same numbers again from the same seed. */
function dice(seed: number): (sides: number) => number {
  let rolls = 0;
  return (sides) => createHash('sha256').update(`${seed}:${rolls++}`).digest().readUInt32BE(0) % sides;
}

/** What the store must hold, kept beside it: every act is done to both. */
class Walk {
  readonly volumes = new Map<string, KnownVolume>();
  readonly snapshots = new Map<string, Buffer>();

  constructor(
    readonly t: ExecutionContext,
    readonly roll: (sides: number) => number,
    public bench: TestStore,
  ) {}

  pick<K, V>(map: ReadonlyMap<K, V>, fits: (value: V) => boolean = () => true): [K, V] | undefined {
    const fitting = [...map].filter(([, value]) => fits(value));
    return fitting[this.roll(Math.max(fitting.length, 1))];
  }

  readonly acts: readonly (() => Promise<void>)[] = [
    async () => {
      const size = (1 + this.roll(16)) * 16 * KiB;
      const { id, sizeBytes } = await this.bench.store.createVolume({ size }, { wait: true });
      this.volumes.set(id, { bytes: Buffer.alloc(sizeBytes), place: undefined });
    },
    async () => {
      const [snapshotId, bytes] = this.pick(this.snapshots) ?? [];
      if (snapshotId === undefined || bytes === undefined) return;
      const size = bytes.length + this.roll(3) * 16 * KiB;
      const { id } = await this.bench.store.createVolume({ snapshotId, size }, { wait: true });
      this.volumes.set(id, { bytes: Buffer.concat([bytes, Buffer.alloc(size - bytes.length)]), place: undefined });
    },
    async () => {
      const [volumeId, known] = this.pick(this.volumes, ({ place }) => place === undefined) ?? [];
      if (volumeId === undefined || known === undefined) return;
      const place = { vmId: `vm${1 + this.roll(2)}`, device: slots[this.roll(slots.length)] ?? 'xvdb' };
      if ([...this.volumes.values()].some((other) => other.place?.vmId === place.vmId && other.place.device === place.device)) return;
      await this.bench.store.attachVolume({ volumeId, vmmHost, ...place }, { wait: true });
      known.place = place;
    },
    async () => {
      const [, known] = this.pick(this.volumes, ({ place }) => place !== undefined) ?? [];
      if (known?.place === undefined) return;
      const bytes = someBytes(4 * KiB);
      const offset = this.roll(known.bytes.length / (4 * KiB)) * 4 * KiB;
      const disk = this.bench.disk(known.place.vmId, known.place.device);
      await disk.write(offset, bytes);
      if (this.roll(2) === 0) await disk.flush();
      bytes.copy(known.bytes, offset);
    },
    async () => {
      const [volumeId, known] = this.pick(this.volumes, ({ place }) => place !== undefined) ?? [];
      if (volumeId === undefined || known === undefined) return;
      await this.bench.store.detachVolume({ volumeId }, { wait: true });
      known.place = undefined;
    },
    async () => {
      const [volumeId, known] = this.pick(this.volumes, ({ place }) => place === undefined) ?? [];
      if (volumeId === undefined || known === undefined) return;
      const { id } = await this.bench.store.createSnapshot({ volumeId }, { wait: true });
      this.snapshots.set(id, Buffer.from(known.bytes));
    },
    async () => {
      const [volumeId, known] = this.pick(this.volumes) ?? [];
      if (volumeId === undefined || known === undefined) return;
      const size = known.bytes.length + (1 + this.roll(4)) * 16 * KiB;
      await this.bench.store.extendVolume({ volumeId, size }, { wait: true });
      known.bytes = Buffer.concat([known.bytes, Buffer.alloc(size - known.bytes.length)]);
    },
    async () => {
      const [volumeId] = this.pick(this.volumes, ({ place }) => place === undefined) ?? [];
      if (volumeId === undefined) return;
      await this.bench.store.deleteVolume({ volumeId }, { wait: true });
      this.volumes.delete(volumeId);
    },
    async () => {
      const [snapshotId] = this.pick(this.snapshots) ?? [];
      if (snapshotId === undefined) return;
      await this.bench.store.deleteSnapshot({ snapshotId }, { wait: true });
      this.snapshots.delete(snapshotId);
    },
    async () => {
      const { directory, store } = this.bench;
      await store.close();
      this.bench = await newStore(this.t, { directory });
    },
  ];

  /** Every volume and snapshot as it should be, and every byte. */
  async compare(): Promise<void> {
    const { store, disk, readFrom } = this.bench;
    const { items } = await store.describeVolumes({ limit: 1_000 });
    this.t.deepEqual(
      items.map(({ id, state, sizeBytes }) => [id, state, sizeBytes]),
      [...this.volumes].map(([id, { bytes, place }]) => [id, place === undefined ? 'available' : 'in-use', bytes.length]),
    );
    this.t.deepEqual(
      (await store.describeSnapshots()).items.map(({ id, state }) => [id, state]),
      [...this.snapshots.keys()].map((id) => [id, 'completed']),
    );
    for (const [id, { bytes, place }] of this.volumes) {
      const found = place === undefined ? await readFrom(id, 0, bytes.length) : await disk(place.vmId, place.device).read(0, bytes.length);
      sameBytes(this.t, found, bytes, id);
    }
    for (const [snapshotId, bytes] of this.snapshots) {
      const { id } = await store.createVolume({ snapshotId }, { wait: true });
      sameBytes(this.t, await readFrom(id, 0, bytes.length), bytes, snapshotId);
      await store.deleteVolume({ volumeId: id }, { wait: true });
    }
    this.t.deepEqual((await store.reconcile()).differences, []);
  }
}

test('a random walk over every operation, with restarts, leaves every volume, snapshot and byte as it should be', async (t) => {
  const seed = Number(process.env.VBS_SEED ?? randomInt(2 ** 31));
  t.log(`VBS_SEED=${seed}`);
  const walk = new Walk(t, dice(seed), await newStore(t));
  for (let step = 0; step < steps; step += 1) await walk.acts[walk.roll(walk.acts.length)]?.();
  await walk.compare();
});
