import { join } from 'node:path';
import {
  type BackendVolume,
  type BlockStore,
  type Call,
  createLocalMachine,
  type LocalMachine,
  type Logger,
  openBlockStore,
  serialOf,
} from '@vbs/core';
import file from '@vbs/plugin-file';
import nbd from '@vbs/plugin-nbd';
import { createSandbox } from '@vbs/plugin-sandbox';
import { type Contestant, interleave, timed } from './harness/interleave.js';
import type { Bench, Measurement } from './measurement.js';
import type { Row } from './row.js';
import { MiB } from './sizes.js';

const clients = 8;
const device = 'xvdb';
const node = 'node1';

const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** What both sides do with one volume. */
interface Life {
  create(): Promise<void>;
  attach(): Promise<void>;
  detach(): Promise<void>;
}
type Act = keyof Life;
const acts: readonly Act[] = ['create', 'attach', 'detach'];

/**
 * The core's own time in create-volume, attach-volume and detach-volume: what the operation takes, less what the plugins take for the
 * same file, export and disk when they are called by hand, in this process, without layers, guards, journal and metadata. Then what a
 * description costs, and how many volumes 8 callers make in a second.
 */
export const ownTime: Measurement = {
  name: 'own-time',
  title: 'The core in one process, its journal synced, on files, NBD and the sandbox: against the plugins called by hand',
  limitMs: { quick: 60_000, full: 180_000 },
  run: (bench) => measureOwnTime(bench, bench.quick ? { runs: 30, warmUp: 10 } : { runs: 200, warmUp: 50 }),
};

async function* measureOwnTime(bench: Bench, turns: { readonly runs: number; readonly warmUp: number }): AsyncGenerator<Row> {
  const { directory, signal } = bench;
  await using store = await openStoreIn(join(directory, 'store'));
  await using bare = await openBare(join(directory, 'bare'));
  bench.say('the life of a volume, by the store and by hand');
  const times: Record<Act, { vbs: number[]; bare: number[] }> = {
    create: { vbs: [], bare: [] },
    attach: { vbs: [], bare: [] },
    detach: { vbs: [], bare: [] },
  };
  const living = (side: 'vbs' | 'bare', life: Life): Contestant => ({
    async run(turn) {
      let whole = 0;
      for (const act of acts) {
        const took = await timed(() => life[act]());
        if (turn >= 0) times[act][side].push(took);
        whole += took;
      }
      return whole;
    },
  });
  await interleave({ vbs: living('vbs', lifeIn(store)), bare: living('bare', bare) }, { ...turns, signal });
  for (const act of acts) {
    const { vbs, bare: samples } = times[act];
    const peer = { name: 'the plugins, by hand', samples };
    yield { kind: 'measured', what: act, unit: 'ms', vbs, peer, aims: [{ kind: 'difference-at-most', value: 3 }] };
  }
  yield* measureReading(store, bench);
  bench.say(`creates by ${clients} callers`);
  const rates: number[] = [];
  for (let run = 0; run < 5; run += 1) rates.push(await createsEachSecond(store, bench.quick ? 100 : 400));
  yield { kind: 'measured', what: `creates by ${clients} callers`, unit: '/s', vbs: rates, aims: [{ kind: 'at-least', value: 200 }] };
}

async function* measureReading(store: BlockStore, bench: Bench): AsyncGenerator<Row> {
  bench.say('descriptions');
  for (let known = 0; known < 1000; ) {
    bench.signal.throwIfAborted();
    const { items } = await store.describeVolumes({ limit: 1000 });
    known = items.length;
    await createMany(store, 1000 - known);
  }
  const { items } = await store.describeVolumes({ limit: 1 });
  const ids = items.map(({ id }) => id);
  const turns = { runs: bench.quick ? 20 : 200, warmUp: 10, signal: bench.signal };
  const { vbs: one } = await interleave({ vbs: { run: () => timed(() => store.describeVolumes({ ids })) } }, turns);
  yield { kind: 'measured', what: 'describe one volume', unit: 'ms', vbs: one, aims: [{ kind: 'at-most', value: 0.3 }] };
  const { vbs: list } = await interleave({ vbs: { run: () => timed(() => store.describeVolumes({ limit: 1000 })) } }, turns);
  yield { kind: 'measured', what: 'describe 1,000 volumes', unit: 'ms', vbs: list, aims: [{ kind: 'at-most', value: 15 }] };
}

async function createsEachSecond(store: BlockStore, count: number): Promise<number> {
  return (count / (await timed(() => createMany(store, count)))) * 1000;
}

async function createMany(store: BlockStore, count: number): Promise<void> {
  let begun = 0;
  const caller = async (): Promise<void> => {
    while (begun < count) {
      begun += 1;
      await store.createVolume({ size: MiB }, { wait: true });
    }
  };
  await Promise.all(Array.from({ length: clients }, caller));
}

function openStoreIn(directory: string): Promise<BlockStore> {
  return openBlockStore(
    {
      database: { client: 'sqlite3', filename: join(directory, 'vbs.sqlite') },
      plugins: [file, nbd, createSandbox().plugin],
      volumeServers: {
        vs1: {
          backends: { files: { plugin: 'file', directory: join(directory, 'pool') } },
          exporters: { nbd: { plugin: 'nbd', port: 0 } },
        },
      },
      vmmNodes: { [node]: { hypervisor: { plugin: 'sandbox', vms: { vm1: {} } } } },
    },
    { logger: silent },
  );
}

function lifeIn(store: BlockStore): Life {
  let volumeId = '';
  return {
    async create() {
      ({ id: volumeId } = await store.createVolume({ size: MiB }, { wait: true }));
    },
    async attach() {
      await store.attachVolume({ volumeId, vmmHost: node, vmId: 'vm1', device }, { wait: true });
    },
    async detach() {
      await store.detachVolume({ volumeId }, { wait: true });
    },
  };
}

/** The plugins alone, opened by their own `open`. */
async function openBare(directory: string): Promise<Life & AsyncDisposable> {
  const local = createLocalMachine({ name: 'local', stateDirectory: directory, log: silent });
  const machine: LocalMachine = Object.create(local, { guarded: { value: <T>(_call: Call, _id: string, act: () => Promise<T>) => act() } });
  const around = {
    baseDirectory: directory,
    stateDirectory: directory,
    machine,
    commands: noCommands,
    store: { id: '0123456789abcdef0123456789abcdef', knowsPool: false },
    log: silent,
  };
  const call: Call = { operationId: '', epoch: 1, signal: new AbortController().signal, log: silent, progress: () => undefined };
  const backend = await file.provides.volumeBackend.open({ ...around, name: 'vs1/files', config: { directory: 'pool' } }, call);
  const exporter = await nbd.provides.targetExporter.open({ ...around, name: 'vs1/nbd', config: { port: 0 } }, call);
  const hypervisor = await createSandbox().plugin.provides.hypervisor.open(
    { ...around, name: `${node}/hypervisor`, config: { vms: { vm1: {} } } },
    call,
  );
  let count = 0;
  let volume: BackendVolume<'file'> | undefined;
  let disk: Parameters<typeof hypervisor.attachDevice>[1] | undefined;
  const made = <T>(thing: T | undefined): T => {
    if (thing === undefined) throw new TypeError('nothing was made before');
    return thing;
  };
  const idOf = (kind: string): string => `${kind}-${count.toString(16).padStart(17, '0')}`;
  return {
    async create() {
      count += 1;
      volume = await backend.createVolume(call, { id: idOf('vol'), sizeBytes: MiB });
    },
    async attach() {
      const attached = made(volume);
      const access = 'read-write';
      const serial = serialOf(attached.id);
      const connection = await exporter.createExport(call, { exportId: idOf('exp'), volume: attached, access, serial });
      const vm = await hypervisor.identifyVm(call, { vmId: 'vm1' });
      const { slot } = await hypervisor.canonicalSlot(call, { vm: vm.key, device });
      const source = { kind: 'connection', connection } as const;
      disk = { attachmentId: idOf('att'), vm: vm.key, slot, source, access, sizeBytes: attached.sizeBytes, serial };
      await hypervisor.attachDevice(call, disk);
    },
    async detach() {
      await hypervisor.detachDevice(call, made(disk));
      await exporter.deleteExport(call, { exportId: idOf('exp') });
    },
    async [Symbol.asyncDispose]() {
      await hypervisor.close?.();
      await exporter.close?.();
      await backend.close?.();
    },
  };
}

/** None of these plugins has a command. */
const noCommands = {
  run: () => Promise.reject(new TypeError('there are no commands')),
  fill: () => {
    throw new TypeError('there are no commands');
  },
};
