import { keptEvents } from '@vbs/core/internal/metadata/events.js';
import { maxCommentBytes } from '@vbs/core/internal/model/text.js';
import { tokenLifeMs } from '@vbs/core/internal/workflow/journal.js';
import { maxRunning } from '@vbs/core/internal/workflow/operation-engine.js';
import { defaultTimes } from '@vbs/core/internal/workflow/store-times.js';
import test from 'ava';
import { readDocument, tableOf } from './markdown.js';

const integrators = await readDocument('docs/integrators.md');
const architecture = await readDocument('docs/architecture.md');
const limits = new Map(tableOf(integrators, ['what', 'limit']).map(([what = '', limit = '']) => [what, limit]));
const number = (value: number): string => value.toLocaleString('en-US');

const row = test.macro({
  title: (_, what: string) => `limits › the row "${what}" tells the code's number`,
  exec(t, what: string, told: string) {
    t.true(limits.get(what)?.includes(told), `${limits.get(what)} should hold ${told}`);
  },
});

test(row, 'comment', `${number(maxCommentBytes)} bytes`);
test(row, 'client token', `${tokenLifeMs / 3_600_000} h`);
test(row, 'running operations in a process', number(maxRunning));
test(row, "waiting with `ifBusy: 'wait'`", `${defaultTimes.busyLimitMs / 1_000} s`);
test(row, 'events', number(keptEvents));

test('limits › the times of leases and looks are those of the code', (t) => {
  const { leaseMs, scanMs, restoreMs, drainMs, leaveMs, pauseMs } = defaultTimes;
  t.true(architecture.includes(`${leaseMs / 1_000} s, renewed every ${leaseMs / 6_000} s`));
  t.true(architecture.includes(`runs at start and every ${scanMs / 1_000} s`));
  t.true(architecture.includes(`at start and every ${restoreMs / 1_000} s, and restored`));
  t.true(integrators.includes(`lets what runs end for ${drainMs / 1_000} s`));
  t.true(drainMs + leaveMs < 10_000);
  t.deepEqual([pauseMs(1), pauseMs(2), pauseMs(3), pauseMs(20)], [1_000, 2_000, 4_000, 60_000]);
});
