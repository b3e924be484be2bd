import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { ToolResult } from '../frame/tool.js';
import { LvmWorld, lvmTools } from './index.js';

const MiB = 1024 * 1024;
type Run = (line: string) => Promise<ToolResult>;

/** A machine with one group, typed to by whole lines. */
async function makeMachine(t: ExecutionContext, extents = 511): Promise<{ world: LvmWorld; run: Run }> {
  const root = await mkdtemp(join(tmpdir(), 'vbs-stand-in-lvm-'));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  const world = new LvmWorld({ root, extents, thinPool: { name: 'pool', extents: 64 } });
  const tools = lvmTools(world);
  const run: Run = async (line) => {
    const [tool = '', ...args] = line.split(' ');
    return (await tools[tool]?.({ args, input: '', root })) ?? { exitCode: 127 };
  };
  return { world, run };
}

const lvs = 'lvs --reportformat json --units b --nosuffix -o lv_name,vg_name,lv_size,lv_attr,origin,pool_lv,lv_path vg0';

test('stand-in LVM › answers the session that was captured from LVM 2.03.16 as that did', async (t) => {
  const { run } = await makeMachine(t);
  const said = async (line: string): Promise<string> => (await run(line)).stdout ?? '';
  t.is(await said('lvcreate -y -L 100M -n vol1 vg0'), '  Logical volume "vol1" created.\n');
  t.is(await said('lvcreate -y -s -L 32M -n snap1 vg0/vol1'), '  Logical volume "snap1" created.\n');
  t.is(await said('lvcreate -y -V 1G --thinpool vg0/pool -n thin1'), '  Logical volume "thin1" created.\n');
  t.is(await said('lvcreate -y -s -n tsnap1 vg0/thin1'), '  Logical volume "tsnap1" created.\n');
  await said('lvchange -ay -K vg0/tsnap1');
  const rows = JSON.parse(await said(lvs)).report[0].lv;
  t.deepEqual(rows, [
    { lv_name: 'pool', vg_name: 'vg0', lv_size: '268435456', lv_attr: 'twi-aotz--', origin: '', pool_lv: '', lv_path: '' },
    {
      lv_name: 'snap1',
      vg_name: 'vg0',
      lv_size: '33554432',
      lv_attr: 'swi-a-s---',
      origin: 'vol1',
      pool_lv: '',
      lv_path: '/dev/vg0/snap1',
    },
    {
      lv_name: 'thin1',
      vg_name: 'vg0',
      lv_size: '1073741824',
      lv_attr: 'Vwi-a-tz--',
      origin: '',
      pool_lv: 'pool',
      lv_path: '/dev/vg0/thin1',
    },
    {
      lv_name: 'tsnap1',
      vg_name: 'vg0',
      lv_size: '1073741824',
      lv_attr: 'Vwi-a-tz-k',
      origin: 'thin1',
      pool_lv: 'pool',
      lv_path: '/dev/vg0/tsnap1',
    },
    { lv_name: 'vol1', vg_name: 'vg0', lv_size: '104857600', lv_attr: 'owi-a-s---', origin: '', pool_lv: '', lv_path: '/dev/vg0/vol1' },
  ]);
  const refused = await run('lvextend -L +20M vg0/vol1');
  t.deepEqual(refused, { exitCode: 5, stderr: '  Snapshot origin volumes can be resized only while inactive: try lvchange -an.\n' });
  t.is(await said('lvremove -y vg0/snap1'), '  Logical volume "snap1" successfully removed.\n');
  t.is(await said('lvremove -y vg0/tsnap1'), '  Logical volume "tsnap1" successfully removed.\n');
});

/** Typed to LVM 2.03.16 as here; `vol` has 12 MiB. */
const exchanges: readonly (readonly [line: string, exitCode: number, stderr: string])[] = [
  ['lvcreate --yes --size 8388608b --name vol vg0', 5, '  Logical Volume "vol" already exists in volume group "vg0"\n'],
  [
    'lvcreate --yes --size 8388609b --name x vg0',
    3,
    '  Size is not a multiple of 512. Try using 8388608 or 8389120.\n  Invalid argument for --size: 8388609b\n  Error during parsing of command line.\n',
  ],
  ['lvcreate --bogus', 3, "lvcreate: unrecognized option '--bogus'\n  Error during parsing of command line.\n"],
  [
    'lvcreate --yes --size 99999999488b --name x vg0',
    5,
    '  Volume group "vg0" has insufficient free space (444 extents): 23842 required.\n',
  ],
  ['lvcreate --yes --snapshot --name x vg0/vol', 5, '  Please specify either size or extents with snapshots.\n'],
  ['lvcreate --yes --snapshot --name x vg0/none', 5, '  Snapshot origin LV none not found in Volume group vg0.\n'],
  ['lvcreate --yes --virtualsize 8m --thinpool vg0/none --name x', 5, '  Pool none not found in Volume group vg0.\n'],
  ['lvextend --size 12582912b vg0/vol', 5, '  New size (3 extents) matches existing size (3 extents).\n'],
  ['lvextend --size 8388608b vg0/vol', 5, '  New size given (2 extents) not larger than existing size (3 extents)\n'],
  ['lvextend --size 99999999488b vg0/vol', 5, '  Insufficient free space: 23839 extents needed, but only 444 available\n'],
  ['lvchange --addtag a,b vg0/vol', 3, '  Invalid argument for --addtag: a,b\n  Error during parsing of command line.\n'],
  ['lvchange --addtag a vg0/none', 5, '  Failed to find logical volume "vg0/none"\n'],
  ['vgchange --addtag a vgnone', 5, '  Volume group "vgnone" not found\n  Cannot process volume group vgnone\n'],
  [
    'dd if=/dev/zero of=/dev/vg0/none bs=512 count=1 conv=notrunc,nocreat',
    1,
    "dd: failed to open '/dev/vg0/none': No such file or directory\n",
  ],
];
for (const [line, exitCode, stderr] of exchanges) {
  test(`stand-in LVM › ${line} is refused as LVM 2.03.16 refuses it`, async (t) => {
    const { run, world } = await makeMachine(t);
    world.make('vol', 12 * MiB);
    t.deepEqual(await run(line), { exitCode, stderr });
  });
}

test('stand-in LVM › vgs with fields of volumes shows no row for a group that has none, and fullreport does', async (t) => {
  const { run, world } = await makeMachine(t);
  world.lvs.clear();
  const vgs = await run('vgs --reportformat json --units b --nosuffix -o vg_tags,lv_name vg0');
  t.deepEqual(JSON.parse(vgs.stdout ?? ''), { report: [{ vg: [] }] });
  const args = ['fullreport', '--config', 'global{units="b" suffix=0}', '--reportformat', 'json', 'vg0'];
  const full = await lvmTools(world).lvm?.({ args, input: '', root: world.root });
  t.deepEqual(JSON.parse(full?.stdout ?? '').report[0].vg, [{ vg_name: 'vg0' }]);
});

test('stand-in LVM › lvremove of a classic origin takes its snapshots with it, unless it is selected by its attributes', async (t) => {
  const { run, world } = await makeMachine(t);
  await run('lvcreate --yes --size 8m --name vol --addtag mine=1 --addtag other vg0');
  await run('lvcreate --yes --snapshot --extents 100%ORIGIN --name snap vg0/vol');
  for (const select of ['lv_tags=mine=1&&lv_attr!~^[oO]', 'lv_tags=mine=2']) {
    t.deepEqual(await run(`lvremove --yes --select ${select} vg0/vol`), {});
  }
  t.true(world.lvs.has('vol') && world.lvs.has('snap'));
  const both = '  Logical volume "snap" successfully removed.\n  Logical volume "vol" successfully removed.\n';
  t.is((await run('lvremove --yes --select lv_tags=mine=1 vg0/vol')).stdout, both);
});
