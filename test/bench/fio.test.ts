import { aimOf, cells, sayCell } from '@vbs/bench/internal/nbd/cells.js';
import { fioCommand, parseFio } from '@vbs/bench/internal/nbd/fio.js';
import { better } from '@vbs/bench/internal/nbd/nbd.js';
import test from 'ava';

const report = (job: object): string =>
  `note: both iodepth >= 1 and synchronous I/O engine are selected\n${JSON.stringify({ 'fio version': 'fio-3.33', jobs: [job] })}`;

test('cells › are each access, order, block size and depth once', (t) => {
  t.is(cells.length, 24);
  t.is(new Set(cells.map(sayCell)).size, 24);
});

test('aimOf › wants half at 4 KiB and four fifths from 64 KiB up', (t) => {
  const aims = new Map(cells.map((cell) => [cell.blockBytes, aimOf(cell)]));
  t.deepEqual([...aims.values()], [0.5, 0.8, 0.8]);
});

test('fioCommand › asks for the pattern of the cell', (t) => {
  const command = fioCommand({
    cell: { access: 'write', order: 'random', blockBytes: 65_536, depth: 16 },
    uri: 'nbd+unix:///name?socket=/run/x.sock',
    sizeBytes: 1_048_576,
    seconds: 2.5,
    warmUpSeconds: 0.5,
  });
  for (const option of [
    '--ioengine=nbd',
    '--uri=nbd+unix:///name?socket=/run/x.sock',
    '--rw=randwrite',
    '--bs=65536',
    '--iodepth=16',
    '--runtime=2500ms',
    '--ramp_time=500ms',
  ]) {
    t.true(command.includes(option), option);
  }
});

test('parseFio › answers MiB a second of the access, whatever stands before the report', (t) => {
  const output = report({ error: 0, read: { bw_bytes: 0 }, write: { bw_bytes: 3 * 1_048_576 } });
  t.is(parseFio(output, 'write'), 3);
});

test('parseFio › refuses a job that ended with an error', (t) => {
  t.throws(() => parseFio(report({ error: 5, read: { bw_bytes: 100 } }), 'read'), { message: /error 5/ });
});

test('parseFio › refuses a report without throughput', (t) => {
  t.throws(() => parseFio(report({ error: 0, read: { bw_bytes: 0 } }), 'read'), { message: /no throughput/ });
  t.throws(() => parseFio('{}', 'read'), { message: /error/ });
});

test('better › is the peer with the higher median', (t) => {
  const steady = { name: 'steady', samples: [10, 11, 12] };
  const lucky = { name: 'lucky', samples: [100, 1, 2] };
  t.is(better([lucky, steady]), steady);
  t.is(better([steady, lucky]), steady);
});
