import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { ToolResult } from '../frame/tool.js';
import { ProxmoxWorld } from './world.js';

const uuid = '11111111-2222-4333-8444-555555555555';

async function nodeOf(t: ExecutionContext, version: 9 | 1 = 9) {
  const root = await mkdtemp(join(tmpdir(), 'vbs-qm-'));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  const world = new ProxmoxWorld(root, version);
  world.create(100, { uuid });
  world.addDevice('/dev/x', 8 * 1024 ** 2);
  world.addDevice('/dev/y', 512);
  const qm = async (line: string): Promise<ToolResult> => await (world.tools.qm?.({ args: line.split(' '), input: '', root }) ?? {});
  return { world, qm };
}

test('qm set › says what it does, and the configuration gains the size; one dash or two, or an equals sign', async (t) => {
  const { world, qm } = await nodeOf(t);
  t.deepEqual(await qm('set 100 --scsi1 /dev/x'), { stdout: 'update VM 100: -scsi1 /dev/x\n', stderr: '' });
  t.is(world.load(100).current.get('scsi1'), '/dev/x,size=8M');
  await qm('set 100 -virtio1 /dev/y,ro=1');
  t.is(world.load(100).current.get('virtio1'), '/dev/y,ro=1,size=512');
  t.deepEqual(await qm('set 100 --delete=virtio1'), { stdout: 'update VM 100: -delete virtio1\n', stderr: '' });
  t.false(world.load(100).current.has('virtio1'));
});

test('qm set › exit 0 does not mean attached: ide, sata and a VM without hotplug of disks', async (t) => {
  const { world, qm } = await nodeOf(t);
  world.create(101, { hotplug: 'network' });
  for (const [vmid, slot] of [
    [100, 'sata1'],
    [100, 'ide0'],
    [101, 'scsi1'],
  ] as const) {
    t.is((await qm(`set ${vmid} --${slot} /dev/x`)).exitCode, undefined);
    t.true((await qm(`pending ${vmid}`)).stdout?.includes(`new ${slot}: /dev/x,size=8M\n`));
    t.false(world.vm(vmid).plugged.has(slot));
    t.true((await qm(`config ${vmid}`)).stdout?.includes(`${slot}: `));
    t.false((await qm(`config ${vmid} --current 1`)).stdout?.includes(`${slot}: `));
    await qm(`set ${vmid} --revert ${slot}`);
    t.false((await qm(`pending ${vmid}`)).stdout?.includes(slot));
  }
  await qm('set 100 --sata1 /dev/x');
  world.stop(100);
  world.start(100);
  t.true(world.vm(100).plugged.has('sata1'));
});

test('qm set › an occupied slot loses its disk in silence', async (t) => {
  const { world, qm } = await nodeOf(t);
  await qm('set 100 --scsi1 /dev/x');
  t.is((await qm('set 100 --scsi1 /dev/y')).exitCode, undefined);
  t.is(world.vm(100).plugged.get('scsi1')?.path, '/dev/y');
});

test('qm set › a guest that is busy: the text of the sheet, and the removal stays to come until it is reverted', async (t) => {
  const { world, qm } = await nodeOf(t);
  await qm('set 100 --scsi1 /dev/x');
  const letGo = world.hold(100, 'scsi1');
  t.deepEqual(await qm('set 100 --delete scsi1'), {
    exitCode: 255,
    stderr: `400 Parameter verification failed.
scsi1: hotplug problem - error on hot-unplugging device 'scsi1' - still busy in guest?

qm set <vmid> [OPTIONS]
`,
  });
  t.true((await qm('pending 100')).stdout?.includes('del scsi1: /dev/x,size=8M\n'));
  await qm('set 100 --revert scsi1');
  t.true((await qm('pending 100')).stdout?.includes('cur scsi1: /dev/x,size=8M\n'));
  letGo();
  // QEMU's own request to the guest was not taken back.
  t.false(world.vm(100).plugged.has('scsi1'));
  t.is((await qm('unlink 100 --idlist scsi1')).exitCode, undefined);
  t.false(world.load(100).current.has('scsi1'));
});

test('qm set › refuses as the real one does', async (t) => {
  const { world, qm } = await nodeOf(t);
  const stderrOf = async (line: string): Promise<string> => {
    const { exitCode = 0, stderr = '' } = await qm(line);
    t.not(exitCode, 0, line);
    return stderr;
  };
  t.is(await stderrOf('set 999 --scsi1 /dev/x'), "Configuration file 'nodes/pve1/qemu-server/999.conf' does not exist\n");
  t.is(await stderrOf('set 100'), 'no options specified\n');
  t.is(await stderrOf('set'), '400 not enough arguments\nqm set <vmid> [OPTIONS]\n');
  t.regex(await stderrOf('set 99 --scsi1 /dev/x'), /vmid: invalid format/);
  t.regex(await stderrOf('set 100 --scsi31 /dev/x'), /^Unknown option: scsi31\n400 unable to parse option/);
  t.regex(await stderrOf('set 100 --ide1 /dev/x,ro=1'), /ide1\.ro: property is not defined in schema/);
  t.regex(await stderrOf('set 100 --scsi1 /dev/x,serial=123456789012345678901'), /scsi1\.serial: /);
  t.regex(await stderrOf('set 100 --scsi1 /dev/x,cache=some'), /scsi1\.cache: /);
  t.regex(await stderrOf('set 100 --scsi1 /dev/none'), /^volume \/dev\/none does not exist/);
  t.regex(await stderrOf('set 100 --delete scsi0'), /can't unplug bootdisk 'scsi0'/);
  t.regex(await stderrOf(`set 100 --scsi1 /dev/x --digest ${'0'.repeat(40)}`), /detected modified configuration/);
  const config = world.load(100);
  config.current.set('lock', 'backup');
  world.save(100, config);
  t.is(await stderrOf('set 100 --scsi1 /dev/x'), 'VM is locked (backup)\n');
  t.false(world.vm(100).plugged.has('scsi1'));
});

test('qm set › deleting what is not set is a warning', async (t) => {
  const { qm } = await nodeOf(t);
  const { exitCode, stderr } = await qm('set 100 --delete scsi7');
  t.is(exitCode, undefined);
  t.is(stderr, "cannot delete 'scsi7' - not set in current configuration!\n");
});

test('qm list, status and config › have the form of the sheet', async (t) => {
  const { world, qm } = await nodeOf(t);
  world.create(1000, { running: false, name: 'off' });
  const [head, ...rows] = ((await qm('list')).stdout ?? '').split('\n');
  t.is(head, '      VMID NAME                 STATUS     MEM(MB)    BOOTDISK(GB) PID       ');
  t.is(rows[0], '       100 vm100                running    512                4.00 1100      ');
  t.regex(rows[1] ?? '', /^ {6}1000 off {18}stopped/);
  t.deepEqual(await qm('status 100'), { stdout: 'status: running\n' });
  t.deepEqual(await qm('status 1000'), { stdout: 'status: stopped\n' });
  t.is(
    (await qm('config 100')).stdout,
    `boot: order=scsi0\nmemory: 512\nname: vm100\nscsi0: local-lvm:vm-100-disk-0,size=4G\nsmbios1: uuid=${uuid}\n`,
  );
});

test('qm set › of version 1 edits the configuration alone, and undef removes', async (t) => {
  const { world, qm } = await nodeOf(t, 1);
  await qm('set 100 --scsi1 /dev/x');
  t.is(world.load(100).current.get('scsi1'), '/dev/x,size=8M');
  t.false(world.vm(100).plugged.has('scsi1'));
  await qm('set 100 --scsi1 undef');
  t.false(world.load(100).current.has('scsi1'));
  t.regex((await qm('set 100 --delete scsi1')).stderr ?? '', /Unknown option: delete/);
});
