import { bonnieCommand, parseBonnie } from '@vbs/bench/internal/paper/bonnie.js';
import { fioCommand, parseFio } from '@vbs/bench/internal/paper/fio.js';
import test from 'ava';

/** As bonnie++ 2.00a printed it in the lab's DomU. */
const recorded =
  '1.98,2.00a,domu1,1,1795404264,64M,,8192,5,,,71812,63,55153,52,,,108340,46,1398,310,,,,,,,,,,,,,,,,,,,15486us,13365us,,5190us,40028us,,,,,,';

test('bonnieCommand › gives size, chunk, seeks and their processes as one word', (t) => {
  t.is(bonnieCommand('/mnt', 80).join(' '), '/usr/sbin/bonnie++ -q -f -u 0:0 -d /mnt -s 80:64k:2048:5 -r 0 -n 0');
});

test('parseBonnie › reads block output, block input and random seeks, whatever stands before', (t) => {
  t.deepEqual(parseBonnie(`Using uid:0, gid:0.\n${recorded}\n`), { blockOutput: 71_812, blockInput: 108_340, randomSeeks: 1_398 });
});

const refused = test.macro({
  exec(t, output: string, message: RegExp) {
    t.throws(() => parseBonnie(output), { message });
  },
  title: (given) => `parseBonnie › refuses ${given}`,
});

test(
  'what was too quick to measure',
  refused,
  recorded.replace(',108340,', ',+++++,'),
  /blockInput was too quick to measure .*larger file/,
);
test('a figure that is missing', refused, recorded.replace(',71812,', ',,'), /blockOutput is "", not a number above 0/);
test('a figure that is no number', refused, recorded.replace(',1398,', ',many,'), /randomSeeks is "many"/);
test('a line that was cut', refused, recorded.slice(0, 60), /is "", not a number/);
test('CSV of another version', refused, recorded.replace('1.98', '1.97'), /no line of CSV of version 1\.98/);
test('nothing', refused, '', /no line of CSV/);

/** What fio 3.33 reports, without what nobody reads here. */
const reported = {
  'fio version': 'fio-3.33',
  jobs: [
    { jobname: 'write', error: 0, read: { bw_bytes: 0 }, write: { bw_bytes: 26_423_296 } },
    { jobname: 'read', error: 0, read: { bw_bytes: 31_545_344 }, write: { bw_bytes: 0 } },
    { jobname: 'randwrite', error: 0, read: { bw_bytes: 0 }, write: { bw_bytes: 426_995 } },
    { jobname: 'randread', error: 0, read: { bw_bytes: 1_607_097 }, write: { bw_bytes: 0 } },
  ],
};
const withJobs = (change: (job: (typeof reported.jobs)[number]) => object): string =>
  JSON.stringify({ ...reported, jobs: reported.jobs.map(change) });

test('fioCommand › has one job for each pattern, each after the one before', (t) => {
  const words = fioCommand({ file: '/mnt/fio', sizeMiB: 32, seconds: 2 });
  t.deepEqual(
    words.filter((word) => /^--(stonewall|rw)/.test(word)),
    ['write', 'read', 'randwrite', 'randread'].flatMap((name) => ['--stonewall', `--rw=${name}`]),
  );
  t.true(words.indexOf('--direct=1') < words.indexOf('--stonewall'));
});

test('parseFio › reads the side of each job that it is about, in KiB/s, after a warning too', (t) => {
  const figures = parseFio(`fio: a warning\n${JSON.stringify(reported)}`);
  t.deepEqual(figures, { write: 25_804, read: 30_806, randwrite: 426_995 / 1_024, randread: 1_607_097 / 1_024 });
});

test('parseFio › refuses what is no report, or tells of a job that failed, is missing or moved nothing', (t) => {
  t.throws(() => parseFio('fio: cannot open /mnt/fio'), { message: /no report: fio: cannot open/ });
  t.throws(() => parseFio(withJobs((job) => (job.jobname === 'read' ? { ...job, error: 5 } : job))), { message: /job read with error 5/ });
  t.throws(() => parseFio(withJobs((job) => (job.jobname === 'read' ? { ...job, jobname: 'other' } : job))), { message: /no job read/ });
  t.throws(() => parseFio(withJobs((job) => ({ ...job, write: { bw_bytes: 0 } }))), { message: /no throughput of the job write/ });
});
