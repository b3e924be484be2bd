import { markdownOf, markers, replaceGenerated } from '@vbs/bench/internal/report/markdown.js';
import { type Report, totalsOf } from '@vbs/bench/internal/report/report.js';
import { textTable } from '@vbs/bench/internal/report/text-table.js';
import test from 'ava';

const report: Report = {
  startedAt: '2026-01-02T03:04:05.678Z',
  quick: false,
  machine: {
    cpus: 2,
    cpuModel: 'A Processor',
    memoryGiB: 24,
    kernel: '6.1.0',
    node: 'v20.20.0',
    fileSystem: 'xfs',
    tools: { fio: 'fio-3.33', nbdkit: null },
  },
  sections: [
    {
      name: 'one',
      title: 'The first',
      rows: [
        {
          kind: 'measured',
          what: 'quick enough',
          unit: 'ms',
          vbs: [2, 4, 3],
          peer: { name: 'peer', samples: [1, 2, 3] },
          aims: [{ kind: 'difference-at-most', value: 3 }],
        },
        {
          kind: 'measured',
          what: 'too slow',
          unit: 'MiB/s',
          vbs: [10],
          peer: { name: 'peer', samples: [100] },
          aims: [{ kind: 'ratio-at-least', value: 0.8 }],
        },
        { kind: 'measured', what: 'only told', unit: '/s', vbs: [1_234_567], aims: [] },
        { kind: 'skipped', what: 'not tried', reason: 'fio | nbdkit are not installed' },
        { kind: 'failed', what: 'broken', reason: 'not within its time limit of 3 s' },
      ],
    },
  ],
};

test('totalsOf › counts each row once', (t) => {
  t.deepEqual(totalsOf(report), { met: 1, missed: 1, told: 1, skipped: 1, failed: 1 });
});

test('markdownOf › writes the machine, the totals and a table for each measurement', (t) => {
  t.is(
    markdownOf(report),
    `One run, on 2026-01-02: 2 CPUs (A Processor), 24 GiB of memory, xfs, Linux 6.1.0, Node.js v20.20.0; fio: fio-3.33; nbdkit: not installed.

1 aims met, 1 missed, 1 rows without an aim, 1 skipped, 1 failed.

### The first

| what | VBS | peer | VBS ÷ peer | aim | met |
| --- | --- | --- | --- | --- | --- |
| quick enough | 3 ms (2–4) | peer: 2 ms (1–3) | 2 (+1 ms) | ≤ 3 ms more | yes |
| too slow | 10 MiB/s | peer: 100 MiB/s | 0.1 | ≥ 0.8 × | no |
| only told | 1,234,567 /s |  |  |  |  |
| not tried | skipped | fio \\| nbdkit are not installed |  |  |  |
| broken | failed | not within its time limit of 3 s |  |  | no |`,
  );
});

test('markdownOf › says of a quick run that it proves nothing', (t) => {
  t.regex(markdownOf({ ...report, quick: true }), /^A quick run, which proves nothing, on 2026-01-02/);
});

test('textTable › holds every row, with its reason where it was not measured', (t) => {
  const table = textTable(report);
  for (const text of ['THE FIRST', 'quick enough', '3 ms (2–4)', 'skipped: fio | nbdkit are not installed', 'failed: not within']) {
    t.true(table.includes(text), text);
  }
  t.true(table.endsWith('1 aims met, 1 missed, 1 rows without an aim, 1 skipped, 1 failed'));
});

const page = `# Title\n\n${markers.begin}\n\nold\n\n${markers.end}\n\nAfter.\n`;

test('replaceGenerated › replaces what stands between the markers and leaves the rest', (t) => {
  const once = replaceGenerated(page, 'new');
  t.is(once, `# Title\n\n${markers.begin}\n\nnew\n\n${markers.end}\n\nAfter.\n`);
  t.is(replaceGenerated(once, 'new'), once);
});

const refused = test.macro({
  title: (_, what: string) => `replaceGenerated › refuses a document ${what}`,
  exec(t, _what: string, document: string) {
    t.throws(() => replaceGenerated(document, 'new'), { message: /must have one/ });
  },
});

test(refused, 'without markers', '# Title\n');
test(refused, 'without an end', `${markers.begin}\n`);
test(refused, 'with its markers the wrong way round', `${markers.end}\n${markers.begin}\n`);
test(refused, 'with two beginnings', `${markers.begin}\n${page}`);
test(refused, 'with two ends', `${page}${markers.end}\n`);
