import { sayAim, verdictOf } from '@vbs/bench/internal/report/verdict.js';
import type { Aim, MeasuredRow } from '@vbs/bench/internal/row.js';
import test from 'ava';

const rowWith = (aims: readonly Aim[], vbs: readonly number[], peer?: readonly number[]): MeasuredRow => ({
  kind: 'measured',
  what: 'something',
  unit: 'ms',
  vbs,
  aims,
  ...(peer === undefined ? {} : { peer: { name: 'peer', samples: peer } }),
});

interface Case {
  readonly aim: Aim;
  readonly vbs: number;
  readonly peer?: number;
  readonly met: boolean;
}

const judged = test.macro({
  title: (_, { aim, vbs, peer, met }: Case) =>
    `verdictOf › ${vbs}${peer === undefined ? '' : ` against ${peer}`} ${met ? 'meets' : 'misses'} ${sayAim(aim, 'ms')}`,
  exec(t, { aim, vbs, peer, met }: Case) {
    t.is(verdictOf(rowWith([aim], [vbs], peer === undefined ? undefined : [peer])).met, met);
  },
});

test(judged, { aim: { kind: 'at-most', value: 50 }, vbs: 50, met: true });
test(judged, { aim: { kind: 'at-most', value: 50 }, vbs: 50.1, met: false });
test(judged, { aim: { kind: 'at-least', value: 200 }, vbs: 200, met: true });
test(judged, { aim: { kind: 'at-least', value: 200 }, vbs: 199, met: false });
test(judged, { aim: { kind: 'ratio-at-most', value: 0.05 }, vbs: 5, peer: 100, met: true });
test(judged, { aim: { kind: 'ratio-at-most', value: 0.05 }, vbs: 6, peer: 100, met: false });
test(judged, { aim: { kind: 'ratio-at-least', value: 0.8 }, vbs: 80, peer: 100, met: true });
test(judged, { aim: { kind: 'ratio-at-least', value: 0.8 }, vbs: 79, peer: 100, met: false });
test(judged, { aim: { kind: 'difference-at-most', value: 3 }, vbs: 103, peer: 100, met: true });
test(judged, { aim: { kind: 'difference-at-most', value: 3 }, vbs: 103.5, peer: 100, met: false });

test('verdictOf › wants every aim met', (t) => {
  const aims: readonly Aim[] = [
    { kind: 'at-least', value: 200 },
    { kind: 'ratio-at-least', value: 20 },
  ];
  t.true(verdictOf(rowWith(aims, [250], [10])).met);
  t.false(verdictOf(rowWith(aims, [150], [5])).met);
  t.false(verdictOf(rowWith(aims, [250], [20])).met);
});

test('verdictOf › judges no row without an aim', (t) => {
  t.deepEqual(verdictOf(rowWith([], [10], [5])), { ratio: 2, difference: 5, met: null });
});

test('verdictOf › refuses an aim that compares without a peer', (t) => {
  t.throws(() => verdictOf(rowWith([{ kind: 'ratio-at-most', value: 1 }], [10])), { instanceOf: TypeError });
});
