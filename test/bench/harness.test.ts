import { access, readdir } from 'node:fs/promises';
import { Cleanup } from '@vbs/bench/internal/harness/cleanup.js';
import { interleave } from '@vbs/bench/internal/harness/interleave.js';
import { runMeasurement } from '@vbs/bench/internal/harness/run-measurement.js';
import type { Bench, Measurement } from '@vbs/bench/internal/measurement.js';
import { readOptions, UsageError } from '@vbs/bench/internal/options.js';
import type { Row } from '@vbs/bench/internal/row.js';
import test, { type ExecutionContext } from 'ava';
import { newDirectory } from '../support/store.js';

const rowOf = (what: string): Row => ({ kind: 'measured', what, unit: 'ms', vbs: [1], aims: [] });

const never = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });

const measurementOf = (run: Measurement['run'], limitMs = 60_000): Measurement => ({
  name: 'planted',
  title: 'Planted',
  limitMs: { quick: limitMs, full: limitMs },
  run,
});

async function optionsFor(t: ExecutionContext, signal = new AbortController().signal) {
  return { quick: true, directory: await newDirectory(t), signal, say: () => undefined };
}

test('interleave › takes turns, now one first and now the other, and keeps the numbers apart', async (t) => {
  const order: string[] = [];
  const contestant = (name: string, base: number) => ({
    run: async (turn: number) => {
      order.push(name);
      return base + turn;
    },
  });
  const samples = await interleave(
    { a: contestant('a', 0), b: contestant('b', 100) },
    { runs: 3, warmUp: 1, signal: new AbortController().signal },
  );
  t.deepEqual(samples, { a: [0, 1, 2], b: [100, 101, 102] });
  t.is(order.join(''), 'baabbaab');
});

test('interleave › stops when it is told to', async (t) => {
  const stop = new AbortController();
  const contestant = {
    run: async () => {
      stop.abort(new Error('told to'));
      return 1;
    },
  };
  await t.throwsAsync(interleave({ a: contestant, b: contestant }, { runs: 5, warmUp: 0, signal: stop.signal }), { message: 'told to' });
});

test('Cleanup › undoes everything, last first, also after one that failed', async (t) => {
  const done: string[] = [];
  const cleanup = new Cleanup();
  cleanup.defer('first', () => done.push('first'));
  cleanup.defer('second', () => {
    throw new Error('stuck');
  });
  cleanup.defer('third', async () => done.push('third'));
  await t.throwsAsync(cleanup.close(), { instanceOf: AggregateError, message: 'second failed: stuck' });
  t.deepEqual(done, ['third', 'first']);
  await t.notThrowsAsync(cleanup.close());
});

test('runMeasurement › keeps the rows before a failure, says what failed, and removes its folder', async (t) => {
  let given: Bench | undefined;
  const options = await optionsFor(t);
  const rows = await runMeasurement(
    measurementOf(async function* (bench) {
      given = bench;
      await access(bench.directory);
      yield rowOf('before');
      throw new Error('planted fault');
    }),
    options,
  );
  t.deepEqual(rows, [rowOf('before'), { kind: 'failed', what: 'Planted', reason: 'planted fault' }]);
  t.truthy(given);
  t.deepEqual(await readdir(options.directory), []);
});

test('runMeasurement › ends one that takes longer than its limit, and clears up after it', async (t) => {
  let cleared = false;
  const rows = await runMeasurement(
    measurementOf(async function* ({ cleanup, signal }) {
      cleanup.defer('clearing', () => {
        cleared = true;
      });
      yield rowOf('before');
      yield await never(signal);
    }, 50),
    await optionsFor(t),
  );
  t.like(rows, [{ what: 'before' }, { kind: 'failed', reason: 'not within its time limit of 0 s' }]);
  t.true(cleared);
});

test('runMeasurement › reports what could not be cleared up', async (t) => {
  const rows = await runMeasurement(
    measurementOf(async function* ({ cleanup }) {
      cleanup.defer('unmounting', () => {
        throw new Error('busy');
      });
      yield rowOf('measured');
    }),
    await optionsFor(t),
  );
  t.deepEqual(rows.at(-1), { kind: 'failed', what: 'clearing up', reason: 'unmounting failed: busy' });
});

test('runMeasurement › clears up before it lets go of an interrupted run', async (t) => {
  const interrupted = new AbortController();
  const options = await optionsFor(t, interrupted.signal);
  const running = runMeasurement(
    measurementOf(async function* ({ signal }) {
      yield rowOf('before');
      interrupted.abort(new Error('interrupted by SIGINT'));
      yield await never(signal);
    }),
    options,
  );
  await t.throwsAsync(running, { message: 'interrupted by SIGINT' });
  t.deepEqual(await readdir(options.directory), []);
});

test('readOptions › takes several names, and the rest as it stands', (t) => {
  t.like(readOptions(['--only', 'nbd', '--only', 'rest', '--quick', '--json', 'out.json'], ['nbd', 'rest']), {
    only: ['nbd', 'rest'],
    quick: true,
    json: 'out.json',
    write: false,
  });
});

const wrong = test.macro({
  title: (_, args: readonly string[]) => `readOptions › refuses ${args.join(' ')}`,
  exec(t, args: readonly string[]) {
    t.throws(() => readOptions(args, ['nbd', 'rest']), { instanceOf: UsageError });
  },
});

test(wrong, ['--only', 'ndb']);
test(wrong, ['--onyl', 'nbd']);
test(wrong, ['nbd']);
test(wrong, ['--write', '--only', 'nbd']);
