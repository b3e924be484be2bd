import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { AoeSegment } from '../vblade/segment.js';
import { AoeNode } from './aoe-node.js';

async function makeNode(t: ExecutionContext) {
  const root = await mkdtemp(join(tmpdir(), 'vbs-aoe-node-'));
  const segment = new AoeSegment();
  const node = await AoeNode.make({ root, segment, interfaces: [{ name: 'aoe0', mac: '02:00:00:00:00:0a', mtu: 1_500 }] });
  t.teardown(async () => {
    node.close();
    await node.settled();
    await rm(root, { recursive: true });
  });
  const announce = (slot: number, sectors: number, masks: readonly string[] = []) =>
    segment.announce({
      shelf: 1,
      slot,
      path: '/v',
      file: '/v',
      readOnly: false,
      sectors,
      masks,
      netif: 'x',
      serial: `1.${slot}:vs1`,
      pid: slot,
    });
  const run = async (tool: string, ...args: string[]) => {
    const answer = await node.tools[tool]?.({ args, input: '', root });
    await node.settled();
    return { exitCode: 0, stdout: '', stderr: '', ...answer };
  };
  return { node, announce, run };
}

test('aoetools › answer as captured from the real ones: discovery, aoe-stat, aoe-flush', async (t) => {
  const { node, announce, run } = await makeNode(t);
  t.deepEqual(await run('aoe-stat'), { exitCode: 1, stdout: '', stderr: '' });
  node.missesAnnouncements = true;
  announce(7, 131_072);
  announce(8, 131_072, ['020000000099']);
  t.is((await run('aoe-stat')).exitCode, 1);
  t.is((await run('aoe-discover')).exitCode, 0);
  t.deepEqual(await run('aoe-stat'), { exitCode: 0, stdout: '      e1.7         0.067GB       aoe0 1024  up            \n', stderr: '' });
  t.is((await run('aoe-flush', 'e1.7')).exitCode, 0);
  t.is((await run('aoe-stat')).exitCode, 1);
});

test('aoetools › refuse as the real ones do', async (t) => {
  const { node, announce, run } = await makeNode(t);
  announce(1, 8);
  await node.settled();
  t.deepEqual(await run('aoe-flush', 'e1.2'), { exitCode: 1, stdout: 'aoe-flush Error: "e1.2" is not an aoe device\n', stderr: '' });
  t.is((await run('aoe-revalidate')).stderr, 'Usage: aoe-revalidate e{major}.{minor}\n');
  t.regex((await run('aoe-revalidate', 'e1.2')).stderr, /revalidate failed/);
  t.regex((await run('aoe-interfaces', 'x')).stderr, /"x" is not a network interface/);
  await node.unload();
  t.is((await run('aoe-discover')).stderr, 'aoe-discover: /dev/etherd/discover does not exist or is not writeable.\n');
});

test('aoe-stat › filters by a regular expression, and aoe-flush by the beginning of a name, open or not', async (t) => {
  const { node, announce, run } = await makeNode(t);
  for (const slot of [1, 10, 2]) announce(slot, 8);
  await node.settled();
  t.is((await run('aoe-stat', 'e1.1')).stdout.split('\n').length - 1, 2);
  await node.hold('e1.10', 'mount');
  await run('aoe-flush', 'e1.1');
  t.deepEqual([...node.devices.keys()], ['e1.2']);
  t.deepEqual(node.lost, ['e1.10']);
});

test('aoe-flush › without a name, and with -a, spares what is open', async (t) => {
  const { node, announce, run } = await makeNode(t);
  for (const slot of [1, 2, 3]) announce(slot, 8);
  await node.settled();
  await node.hold('e1.1', 'mount');
  await node.goDown('e1.2');
  await run('aoe-flush');
  t.deepEqual([...node.devices.keys()], ['e1.1', 'e1.3']);
  await run('aoe-flush', '-a');
  t.deepEqual([...node.devices.keys()], ['e1.1']);
  await node.goDown('e1.1');
  t.regex((await run('aoe-stat')).stdout, /down,closewait/);
});
