import { readdir } from 'node:fs/promises';
import { withoutReflink, withReflink } from '@vbs/bench/internal/clone/clone.js';
import { runMeasurement } from '@vbs/bench/internal/harness/run-measurement.js';
import { whyMissing } from '@vbs/bench/internal/harness/tools.js';
import type { Measurement } from '@vbs/bench/internal/measurement.js';
import { cells } from '@vbs/bench/internal/nbd/cells.js';
import { measureNbd } from '@vbs/bench/internal/nbd/nbd.js';
import { measureRest } from '@vbs/bench/internal/rest/rest.js';
import type { Row } from '@vbs/bench/internal/row.js';
import test, { type ExecutionContext } from 'ava';
import { MiB, newDirectory } from '../support/store.js';

/** Runs a measurement with tiny sizes, and sees that nothing of it is left. */
async function runTiny(t: ExecutionContext, run: Measurement['run']): Promise<readonly Row[]> {
  t.timeout(120_000);
  const directory = await newDirectory(t);
  const limitMs = { quick: 100_000, full: 100_000 };
  const options = { quick: true, directory, signal: new AbortController().signal, say: () => undefined };
  const rows = await runMeasurement({ name: 'tiny', title: 'Tiny', limitMs, run }, options);
  t.deepEqual(await readdir(directory), []);
  return rows;
}

const told = (rows: readonly Row[]) => rows.map((row) => [row.kind, row.what, row.kind === 'measured' ? row.vbs.length : row.reason]);

const noFio = await whyMissing(
  [
    ['fio', '--version'],
    ['nbdkit', '--version'],
    ['qemu-nbd', '--version'],
  ],
  new AbortController().signal,
);
const withFio = noFio === null ? test : test.skip;
const noMounts = process.getuid?.() === 0 ? await whyMissing([['mkfs.xfs', '-V']], new AbortController().signal) : 'mounting needs root';
const withMounts = noMounts === null ? test : test.skip;

test('measureRest › answers a row for each figure of the peer', async (t) => {
  const rows = await runTiny(t, (bench) => measureRest({ runs: 2, batch: 8, batches: 1, listed: 20, lists: 1 }, bench));
  t.deepEqual(told(rows), [
    ['measured', 'create, until available', 2],
    ['measured', 'attach, until attached', 2],
    ['measured', 'get one volume', 2],
    ['measured', 'creates by 8 clients', 1],
    ['measured', 'list 20 volumes', 1],
    ['measured', 'memory of the server, after all this', 1],
  ]);
});

withFio(`measureNbd › has all servers serve one file, and compares them${noFio === null ? '' : ` (skipped: ${noFio})`}`, async (t) => {
  const some = cells.filter(({ depth, order }) => depth === 16 && order === 'random').slice(0, 1);
  const rows = await runTiny(t, (bench) => measureNbd({ cells: some, fileBytes: 4 * MiB, seconds: 0.1, warmUpSeconds: 0, runs: 1 }, bench));
  t.deepEqual(told(rows), [['measured', 'read 4 KiB, random, depth 16', 1]]);
  const [row] = rows;
  t.true(row?.kind === 'measured' && ['nbdkit', 'qemu-nbd'].includes(row.peer?.name ?? ''));
});

test('withoutReflink › compares a clone with cp, or says why not', async (t) => {
  const tiny = { volumeBytes: 64 * MiB, dataBytes: 8 * MiB, runs: 2, warmUp: 0 };
  const [row] = await runTiny(t, (bench) => withoutReflink(tiny, bench));
  if (row?.kind === 'skipped') t.regex(row.reason, /reflinks/);
  else t.like(row, { kind: 'measured', vbs: { length: 2 }, peer: { samples: { length: 2 } } });
});

withMounts(`withReflink › clones on an XFS of its own${noMounts === null ? '' : ` (skipped: ${noMounts})`}`, async (t) => {
  const tiny = { volumeBytes: 64 * MiB, dataBytes: 8 * MiB, runs: 2, warmUp: 0 };
  const rows = await runTiny(t, (bench) => withReflink(tiny, bench));
  t.deepEqual(told(rows), [['measured', 'clone by reflink, on a loop device', 2]]);
});
