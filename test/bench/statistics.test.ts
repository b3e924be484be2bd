import { sayNumber } from '@vbs/bench/internal/report/say-number.js';
import { compare, median, spreadOf } from '@vbs/bench/internal/report/statistics.js';
import test from 'ava';

test('median › is the middle number, whatever their order', (t) => {
  t.is(median([30, 10, 20]), 20);
  t.is(median([4]), 4);
});

test('median › is the mean of the middle two of an even count', (t) => {
  t.is(median([40, 10, 20, 30]), 25);
});

test('median › refuses no numbers', (t) => {
  t.throws(() => median([]), { instanceOf: TypeError });
});

test('spreadOf › tells median, least, most and how many, and leaves the numbers in their order', (t) => {
  const samples = [3, 1, 2];
  t.deepEqual(spreadOf(samples), { median: 2, min: 1, max: 3, runs: 3 });
  t.deepEqual(samples, [3, 1, 2]);
});

test('compare › takes the median of the pairs when both sides took turns', (t) => {
  // The machine was ten times slower in the second turn, for both sides: the medians alone would say 10 / 11.
  t.is(
    compare([10, 200, 10], [5, 100, 11], (one, other) => one / other),
    2,
  );
});

test('compare › takes both medians when the counts differ', (t) => {
  t.is(
    compare([10, 20, 30], [5], (one, other) => one / other),
    4,
  );
});

const said = test.macro({
  title: (_, value: number, text: string) => `sayNumber › says ${value} as ${text}`,
  exec: (t, value: number, text: string) => t.is(sayNumber(value), text),
});

test(said, 0.012345, '0.0123');
test(said, 4.567, '4.57');
test(said, 30, '30');
test(said, 99.96, '100');
test(said, 1234.5, '1,235');
test(said, 0, '0');
