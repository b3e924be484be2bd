import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lab } from '@vbs/lab';
import test, { type ExecutionContext } from 'ava';
import { AoeNode } from '../stand-ins/aoe/aoe-node.js';
import { AoeSegment } from '../stand-ins/vblade/segment.js';
import { differing, type Said, typed } from './support/typed.js';

let lab: Lab;
test.before(async () => {
  lab = await Lab.up({ guests: ['vs1', 'node1'] });
});
test.after.always(async () => await lab?.close());

const sectors = 8_192;
const words = (line: string): readonly string[] => line.split(' ');

/** One after the other, while a vblade shows e7.1. `appeared` and `vanished` wait for its device. */
const lines: readonly (readonly string[])[] = [
  words('aoe-discover'),
  ['appeared'],
  words('aoe-stat e7.1'),
  words('aoe-stat e7.9'),
  words('aoe-revalidate e7.1'),
  words('aoe-revalidate e7.9'),
  words('aoe-revalidate bogus'),
  ['aoe-revalidate', ''],
  words('blockdev --getsize64 /dev/etherd/e7.1'),
  words('blockdev --getro /dev/etherd/e7.1'),
  words('blockdev --setro /dev/etherd/e7.1'),
  words('blockdev --getro /dev/etherd/e7.1'),
  words('blockdev --setrw /dev/etherd/e7.1'),
  words('blockdev --flushbufs /dev/etherd/e7.1'),
  words('blockdev --flushbufs /dev/etherd/e7.9'),
  words('blockdev --getro /dev/etherd/e7.9'),
  words('dd if=/dev/etherd/e7.1 of=/dev/null bs=8192 count=1 iflag=direct status=none'),
  words('dd if=/dev/etherd/e7.9 of=/dev/null bs=8192 count=1 iflag=direct status=none'),
  words('dd if=/dev/etherd/e7.1 of=/dev/null bogus=1'),
  words('aoe-interfaces'),
  words('aoe-interfaces nosuch0'),
  words('aoe-flush e7.9'),
  words('aoe-flush e7.1'),
  ['vanished'],
  words('aoe-stat e7.1'),
  words('aoe-flush e7.1'),
  words('aoe-discover'),
  ['appeared'],
  words('aoe-stat e7.1'),
];

test('stand-in aoetools › answer every command line as aoetools, blockdev and dd of a guest do', async (t) => {
  t.timeout(240_000);
  const [server, node] = [lab.guest('vs1'), lab.guest('node1')];
  const netif = async (name: string): Promise<string> => (await lab.guest(name).script('cat /run/vbs-lab/storage-interface')).trim();
  const [ofServer, ofNode] = [await netif('vs1'), await netif('node1')];
  const mtu = Number(await node.script(`cat /sys/class/net/${ofNode}/mtu`));
  t.teardown(async () => void (await server.script('kill $(cat /tmp/lines.pid) 2>/dev/null || true; rm -f /tmp/lines.*')));
  await server.script(`
    truncate -s ${512 * sectors} /tmp/lines.img
    setsid vblade -s 7 1 ${ofServer} /tmp/lines.img </dev/null >/tmp/lines.log 2>&1 &
    echo $! >/tmp/lines.pid
    for i in $(seq 200); do grep -q pid /tmp/lines.log && exit 0; sleep 0.05; done; exit 1`);
  const said = await typed(
    node,
    lines,
    `
    appeared() { for i in $(seq 200); do test -b /dev/etherd/e7.1 && return; sleep 0.05; done; return 1; }
    vanished() { for i in $(seq 200); do test -e /dev/etherd/e7.1 || return 0; sleep 0.05; done; return 1; }`,
  );
  const stood = await standIn(t, ofNode, mtu);
  t.deepEqual(differing(lines, stood, said, comparable), []);
});

/** The same lines, to the stand-in. */
async function standIn(t: ExecutionContext, netif: string, mtu: number): Promise<readonly Said[]> {
  const root = await mkdtemp(join(tmpdir(), 'vbs-aoe-lines-'));
  const segment = new AoeSegment();
  const node = await AoeNode.make({ root, segment, interfaces: [{ name: netif, mac: '02:00:00:00:00:0a', mtu }] });
  t.teardown(async () => {
    node.close();
    await node.settled();
    await rm(root, { recursive: true });
  });
  const shown = { shelf: 7, slot: 1, path: '/v', file: '/v', readOnly: false, sectors, masks: [], netif, serial: '7.1:vs1', pid: 1 };
  segment.announce(shown);
  const answers: Said[] = [];
  for (const [tool = '', ...args] of lines) {
    await node.settled();
    const isOfShell = tool === 'appeared' || tool === 'vanished';
    const answer = isOfShell ? {} : await node.tools[tool]?.({ args, input: '', root });
    answers.push({ exitCode: 0, stdout: '', stderr: '', ...answer });
  }
  return answers;
}

/** By lines, which a difference is shown by. */
const comparable = ({ exitCode, stdout, stderr }: Said): object => ({ exitCode, stdout: stdout.split('\n'), stderr: stderr.split('\n') });
