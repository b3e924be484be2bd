import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Guest, Lab } from '@vbs/lab';
import { lvmCommands } from '@vbs/plugin-lvm-iet/internal/lvm/commands.js';
import test from 'ava';
import { LvmWorld, lvmTools } from '../stand-ins/lvm/index.js';
import { extentBytes, LvmGroups, thinPool } from './support/lvm-groups.js';
import { differing, type Said, typed } from './support/typed.js';

let lab: Lab;
test.before(async () => {
  lab = await Lab.up({ guests: ['vs1'] });
});
test.after.always(async () => await lab?.close());

const server = (): Guest => lab.guest('vs1');
const groups = new LvmGroups(server);

const bytes = 'global{units="b" suffix=0}';
const look = lvmCommands.look.split(' ').map((word) => (word === '<lvmConfig>' ? bytes : word === '<volumeGroup>' ? '@' : word));
const words = (line: string): readonly string[] => line.split(' ');
const unlessOrigin = 'lv_attr!~^[oO]';

/** One after the other on one group `@` of 95 extents of 1 MiB, 68 of which its thin pool has. */
const lines: readonly (readonly string[])[] = [
  look,
  // What the backend types, and what comes of it.
  words('vgchange --addtag vbs.store=1 --addtag vbs.epoch=0 @'),
  words('vgchange --addtag vbs.epoch=5 --deltag vbs.epoch=0 @'),
  words('lvcreate --yes --wipesignatures y --zero y --size 4194304b --name vol --addtag a=1 --addtag b=2 @'),
  words('lvcreate --yes --snapshot --extents 100%ORIGIN --name snap --addtag a=1 @/vol'),
  words('lvcreate --yes --snapshot --extents 25%ORIGIN --name small --addtag a=1 @/vol'),
  words('lvcreate --yes --virtualsize 4194304b --thinpool @/pool --name thin --addtag a=1'),
  words('lvcreate --yes --snapshot --setactivationskip y --name tsnap --addtag a=1 @/thin'),
  words('lvcreate --yes --snapshot --setactivationskip n --activate y --name clone --addtag a=1 @/tsnap'),
  look,
  words('lvchange --activate y --ignoreactivationskip @/tsnap'),
  words('lvchange --activate y --ignoreactivationskip @/tsnap'),
  words('lvchange --addtag c=3 --deltag b=2 @/vol'),
  words('lvchange --addtag c=3 --deltag none @/vol'),
  words('lvextend --size 8388608b @/clone'),
  words('lvchange --activate n @/thin'),
  words('dd if=/dev/@/vol of=/dev/@/tsnap bs=1048576 skip=1 seek=1 count=2 iflag=direct,fullblock oflag=direct conv=notrunc,nocreat,fsync'),
  words('dd if=/dev/zero of=/dev/@/vol bs=1048576 seek=3 count=1 iflag=fullblock oflag=direct conv=notrunc,nocreat,fsync'),
  words('dd if=/dev/zero of=/dev/@/vol bs=1048576 seek=3 count=2 iflag=fullblock oflag=direct conv=notrunc,nocreat,fsync'),
  words('dd if=/dev/@/vol of=/dev/@/tsnap bs=1048576 skip=3 seek=0 count=2 iflag=direct,fullblock oflag=direct conv=notrunc,nocreat,fsync'),
  words('dd if=/dev/zero of=/dev/@/thin bs=1048576 seek=0 count=1 iflag=fullblock oflag=direct conv=notrunc,nocreat,fsync'),
  words('dd if=/dev/@/none of=/dev/@/vol bs=1048576 skip=0 seek=0 count=1 conv=notrunc,nocreat'),
  words('dd if=/dev/zero of=/dev/@/vol bs=1048576 bogus=1'),
  words('blkdiscard --offset 0 --length 1048576 /dev/@/clone'),
  words('blkdiscard --offset 0 --length 1048576 /dev/@/none'),
  look,
  // What LVM refuses.
  words('lvcreate --yes --size 4194304b --name vol @'),
  words('lvcreate --yes --size 4194305b --name x @'),
  words('lvcreate --yes --size 1g --name x @'),
  words('lvcreate --bogus'),
  words('lvcreate --yes --size 4m --name snapshot1 @'),
  words('lvcreate --yes --size 4m --name x_tdata @'),
  words('lvcreate --yes --snapshot --name x @/vol'),
  words('lvcreate --yes --snapshot --name x @/none'),
  words('lvcreate --yes --snapshot --extents 100%ORIGIN --name x @/snap'),
  words('lvcreate --yes --virtualsize 8m --thinpool @/none --name x'),
  words('lvcreate --yes --virtualsize 8m --thinpool @/pool --name thin'),
  words('lvextend --size 8388608b @/vol'),
  words('lvextend --size 8388608b @/clone'),
  words('lvextend --size 4194304b @/clone'),
  words('lvextend --size 8388608b @/none'),
  words('lvchange --addtag a,b @/vol'),
  words('lvchange --addtag a @/none'),
  words('vgchange --addtag a none'),
  words('lvremove --yes @/none'),
  [...words('lvm fullreport --config'), bytes, ...words('--reportformat json none')],
  // Removal, selected under the group's lock.
  [...words('lvremove --yes --select'), `lv_tags=a=1&&${unlessOrigin}`, '@/vol'],
  [...words('lvremove --yes --select'), `lv_tags=a=2&&${unlessOrigin}`, '@/snap'],
  [...words('lvremove --yes --select'), `lv_tags=a=1&&${unlessOrigin}`, '@/snap'],
  [...words('lvremove --yes --select'), `lv_tags=a=1&&${unlessOrigin}`, '@/thin'],
  look,
  words('lvremove --yes @/vol'),
  words('lvextend --size 12582912b @/clone'),
  words('lvremove --yes @/tsnap'),
  words('lvremove --yes @/clone'),
  look,
];

test('stand-in LVM › answers every command line as LVM, dd and blkdiscard of a guest do', async (t) => {
  t.timeout(280_000);
  const group = await groups.take({ thin: true });
  const root = await mkdtemp(join(tmpdir(), 'vbs-lvm-lines-'));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  const world = new LvmWorld({
    root,
    group: group.name,
    extentBytes,
    extents: 95,
    thinPool: { name: thinPool, extents: 64, metadataExtents: 4 },
  });
  const tools = lvmTools(world);
  const said = await typed(
    server(),
    lines.map((line) => named(line, group.name)),
  );
  const stood: Said[] = [];
  for (const line of lines) {
    const [tool = '', ...args] = named(line, group.name);
    const { exitCode = 0, stdout = '', stderr = '' } = (await tools[tool]?.({ args, input: '', root })) ?? { exitCode: 127 };
    stood.push({ exitCode, stdout, stderr });
  }
  t.deepEqual(differing(lines, stood, said, comparable), []);
});

const named = (line: readonly string[], group: string): readonly string[] =>
  line.map((word) => word.replaceAll(/(^|\/)@/g, (_all, before: string) => `${before}${group}`));

/** Without what is of one machine and moment: how full things are, how fast dd was, and what LVM warns of. */
function comparable({ exitCode, stdout, stderr }: Said): object {
  const lines = stderr.split('\n').filter((line) => line !== '' && !/^\s*WARNING: |bytes.* copied/.test(line));
  return { exitCode, stdout: report(stdout) ?? stdout, stderr: lines };
}

function report(stdout: string): unknown {
  try {
    return JSON.parse(stdout, (key: string, value: unknown) => (key.endsWith('_percent') && value !== '' ? 'some' : value));
  } catch {
    return undefined;
  }
}
