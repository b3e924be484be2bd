import { randomBytes } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { interleave } from '../harness/interleave.js';
import { whyMissing } from '../harness/tools.js';
import type { Bench, Measurement } from '../measurement.js';
import { median } from '../report/statistics.js';
import type { MeasuredRow, Peer, Row } from '../row.js';
import { MiB } from '../sizes.js';
import { aimOf, type Cell, cells, sayCell } from './cells.js';
import { runFio } from './fio.js';
import { peers, type Server, startServers } from './servers.js';

export interface NbdOptions {
  readonly cells: readonly Cell[];
  readonly fileBytes: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly runs: number;
}

const tools = [
  ['fio', '--version'],
  ['nbdkit', '--version'],
  ['qemu-nbd', '--version'],
] as const;

/** What fio may take beside its run: to start, to connect, to report. */
const fioMarginMs = 20_000;

/** The NBD server in a process of its own against `nbdkit file` and `qemu-nbd` on the same file, in turn, over Unix sockets. */
export const nbd: Measurement = {
  name: 'nbd',
  title: 'NBD, against the better of nbdkit file and qemu-nbd',
  limitMs: { quick: 300_000, full: 1_500_000 },
  run: (bench) =>
    measureNbd(
      {
        cells,
        fileBytes: 512 * MiB,
        ...(bench.quick ? { seconds: 0.5, warmUpSeconds: 0.1, runs: 1 } : { seconds: 1, warmUpSeconds: 0.25, runs: 3 }),
      },
      bench,
    ),
};

export async function* measureNbd(options: NbdOptions, bench: Bench): AsyncGenerator<Row> {
  const reason = await whyMissing(tools, bench.signal);
  if (reason !== null) {
    yield { kind: 'skipped', what: 'all patterns of access', reason };
    return;
  }
  const file = path.join(bench.directory, 'served.img');
  const handle = await open(file, 'wx+', 0o600);
  bench.cleanup.defer('closing the served file', () => handle.close());
  await fill(handle, options.fileBytes);
  const uris = await startServers(file, options.fileBytes, bench);
  for (const cell of options.cells) {
    bench.say(sayCell(cell));
    yield await measureCell(cell, uris, handle, options, bench.signal);
  }
}

async function measureCell(
  cell: Cell,
  uris: Readonly<Record<Server, string>>,
  handle: FileHandle,
  { fileBytes, seconds, warmUpSeconds, runs }: NbdOptions,
  signal: AbortSignal,
): Promise<MeasuredRow> {
  const contestant = (server: Server) => ({
    async run() {
      // What the run before has left dirty is not this one's to write.
      await handle.datasync();
      const job = { cell, uri: uris[server], sizeBytes: fileBytes, seconds, warmUpSeconds };
      return runFio(job, { signal, limitMs: (seconds + warmUpSeconds) * 1_000 + fioMarginMs });
    },
  });
  const contestants = { vbs: contestant('vbs'), nbdkit: contestant('nbdkit'), 'qemu-nbd': contestant('qemu-nbd') };
  const samples = await interleave(contestants, { runs, warmUp: 0, signal });
  return {
    kind: 'measured',
    what: sayCell(cell),
    unit: 'MiB/s',
    vbs: samples.vbs,
    peer: better(peers.map((name) => ({ name, samples: samples[name] }))),
    aims: [{ kind: 'ratio-at-least', value: aimOf(cell) }],
  };
}

/** The one with the higher median. @throws TypeError: there is none. */
export function better(candidates: readonly Peer[]): Peer {
  return candidates.reduce((best, one) => (median(one.samples) > median(best.samples) ? one : best));
}

/** Written whole, so that reads find data, and left in the page cache, so that the servers are measured and not the disk. */
async function fill(handle: FileHandle, fileBytes: number): Promise<void> {
  const piece = randomBytes(MiB);
  for (let offset = 0; offset < fileBytes; offset += piece.length)
    await handle.write(piece, 0, Math.min(piece.length, fileBytes - offset), offset);
  await handle.sync();
}
