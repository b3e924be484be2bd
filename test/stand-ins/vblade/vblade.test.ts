import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ava from 'ava';
import { VethSegment, whySkipped } from '../../plugins/aoe/veth-segment.js';
import type { ToolResult } from '../frame/tool.js';
import { AoeSegment, type SegmentExport } from './segment.js';
import { VbladeStandIn } from './vblade.js';

/** Command lines; `IF` is an interface that is up, `DOWN` one that is down, and paths lie in a folder of the test. */
const lines: readonly string[] = [
  '',
  '1 1 IF /volume',
  '-sr -l 100 1 1 IF /volume',
  '-l 3000 1 1 IF /volume',
  '-l 0 1 1 IF /volume',
  '-l abc 1 1 IF /volume',
  '-o 20000 1 1 IF /volume',
  '-o 48 -l 2000 1 1 IF /volume',
  '-o 49 -l 2000 1 1 IF /volume',
  '1 1 nosuch0 /volume',
  '1 1 nosuch0 /nowhere',
  '1 1 IF /nowhere',
  '1 1 IF /small',
  '1 1 IF /odd',
  '1 1 IF /',
  '-m zz 1 1 IF /volume',
  '-m 02:00:00:00:00:01,02:00:00:00:00:02 1 1 IF /volume',
  '-m 020000000001 1 1 IF /volume',
  '-m 02:00:00:00:00:0g 1 1 IF /volume',
  '-r -m 02:00:00:00:00:01, 1 1 IF /volume',
  '-x 1 1 IF /volume',
  '-m',
  '-b 3 1 1 IF /volume',
  '-b 0 1 1 IF /volume',
  '-b x 1 1 IF /volume',
  '-sdr 1 1 IF /volume',
  'a b IF /volume',
  '70000 300 IF /volume',
  '1 1 IF',
  '1 1 IF /volume extra',
  '1 1 IF /volume -r',
  '-- 1 1 IF /volume',
  '-s -s 1 1 IF /volume',
  '1 1 DOWN /volume',
];

interface Told {
  readonly output: readonly string[];
  /** `runs` for one that stays in the foreground. */
  readonly end: number | 'runs';
}

async function volumes(root: string): Promise<void> {
  await mkdir(root, { recursive: true });
  for (const [name, bytes] of [
    ['volume', 1024 * 1024],
    ['small', 100],
    ['odd', 1000],
  ] as const) {
    await writeFile(join(root, name), '');
    await truncate(join(root, name), bytes);
  }
}

const told = (text: string): readonly string[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^pid \d+/, 'pid N'));

async function ofStandIn(root: string, args: readonly string[]): Promise<Told> {
  const standIn = new VbladeStandIn({ interfaces: { IF: 'up', DOWN: 'down' } });
  const { vblade } = standIn.daemons;
  if (vblade === undefined) throw new Error('no vblade');
  try {
    const { lines: output, stop } = await vblade({ args, input: '', root, pid: 1001 });
    const runs = standIn.segment.exports().length > 0;
    await stop();
    return { output: told(output.join('\n')), end: runs ? 'runs' : 1 };
  } catch (thrown) {
    const { stderr = '', exitCode = 0 } = thrown as ToolResult;
    return { output: told(stderr), end: exitCode };
  }
}

/** Ended as soon as it has said that it is ready, and has had the time to fail afterwards. */
async function ofRealOne(segment: VethSegment, root: string, args: readonly string[]): Promise<Told> {
  const names: Readonly<Record<string, string>> = { IF: segment.interface, DOWN: 'lo' };
  const words = args.map((word) => names[word] ?? (word.startsWith('/') ? join(root, word) : word));
  const child = spawn('ip', ['netns', 'exec', segment.targets, 'vblade', ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const timers: NodeJS.Timeout[] = [];
  const hear = (chunk: Buffer): void => {
    output += chunk.toString();
    if (/^pid /m.test(output)) timers.push(setTimeout(() => child.kill('SIGTERM'), 200));
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  timers.push(setTimeout(() => child.kill('SIGKILL'), 20_000));
  const [code] = (await once(child, 'close')) as [number | null];
  for (const timer of timers) clearTimeout(timer);
  return { output: told(output.replaceAll(segment.interface, 'IF')), end: code ?? 'runs' };
}

const sorted = ({ output, end }: Told): Told => ({ output: [...output].sort(), end });

const compared = whySkipped === '' ? ava : ava.skip;
compared(`the stand-in for vblade › says and does what the real one does with every command line of its sheet${whySkipped}`, async (t) => {
  t.timeout(120_000);
  const root = await mkdtemp(join(tmpdir(), 'vbs-vblade-'));
  const segment = await VethSegment.make('stand-in');
  t.teardown(async () => {
    await segment.remove();
    await rm(root, { recursive: true, force: true });
  });
  await volumes(root);
  for (const line of lines) {
    const args = line.split(' ').filter((word) => word !== '');
    t.deepEqual(sorted(await ofStandIn(root, args)), sorted(await ofRealOne(segment, root, args)), `vblade ${line}`);
  }
});

ava('AoeSegment › shows what is announced to whom its masks let in, tells changes, and takes two at one address', (t) => {
  const segment = new AoeSegment();
  let changes = 0;
  const stopListening = segment.onChange(() => {
    changes += 1;
  });
  const shown: SegmentExport = {
    shelf: 1,
    slot: 7,
    path: '/v',
    file: '/v',
    readOnly: false,
    sectors: 8,
    masks: ['525400000001'],
    netif: 'eth1',
    serial: '1.7:vs1',
    pid: 1001,
  };
  const withdraw = segment.announce(shown);
  const withdrawOther = segment.announce({ ...shown, masks: [], pid: 1002 });
  t.is(segment.seenBy('52:54:00:00:00:01').length, 2);
  t.deepEqual(
    segment.seenBy('52:54:00:00:00:02').map(({ pid }) => pid),
    [1002],
  );
  withdraw();
  withdraw();
  t.is(changes, 3);
  stopListening();
  withdrawOther();
  t.deepEqual([changes, segment.exports()], [3, []]);
});
