import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lab, type XenGuest } from '@vbs/lab';
import test from 'ava';
import { XenWorld } from '../stand-ins/xen/world.js';
import { differing, type Said, typed } from './support/typed.js';

let lab: Lab;
test.before(async (t) => {
  t.timeout(600_000);
  lab = await Lab.up({ guests: { vs1: 'storage', dom0: 'xen' } });
});
test.after.always(async () => await lab?.close());

const MiB = 1024 * 1024;
const longName = '/dev/disk/by-path/ip-10.0.0.5:3260-iscsi-iqn.2009-11.edu.iu.vbs:01234567:exp-00000000000000001-lun-1';
const words = (line: string): readonly string[] => line.split(' ');
const attach = (line: string): readonly string[] => words(`xl block-attach ${line}`);
const detach = (line: string): readonly string[] => words(`xl block-detach ${line}`);
const look = words('xenstore-ls -f /local/domain');
const blockList = words('xl block-list domu1 domu2');
/** Until no end of a disk is on its way: what the kernels do after xl has ended. */
const settled = ['settled'];

/** One after the other on a host whose domains 1 and 2 are domu1 and domu2; its /dev/loop3 is mounted. */
const lines: readonly (readonly string[])[] = [
  words('xl list'),
  words('xl list domu2'),
  words('xl list nosuchdom'),
  words('xl domid domu1'),
  words('xl domid nosuchdom'),
  words('xl domname 2'),
  blockList,
  // What the plugin types, and what comes of it.
  attach(`domu1 phy:${longName} xvdb w`),
  settled,
  look,
  words('xenstore-ls /local/domain/0/backend/vbd'),
  blockList,
  attach('domu1 phy:/dev/loop1 xvdb w'),
  attach(`domu1 phy:${longName} xvdc w`),
  attach('domu2 phy:/dev/loop0 xvdb w'),
  attach('domu2 phy:/dev/loop0 xvdc r'),
  settled,
  look,
  detach('domu2 xvdb'),
  detach('domu2 xvdc'),
  detach('domu1 xvdc'),
  attach('domu1 phy:/dev/loop1 sdd r'),
  attach('domu2 phy:/dev/loop1 xvdq r'),
  attach('domu2 phy:/dev/loop3 xvdr w'),
  settled,
  look,
  blockList,
  detach('domu1 sdd'),
  detach('domu2 xvdq'),
  detach('domu2 xvdr'),
  look,
  // What xl refuses.
  attach('nosuchdom phy:/dev/loop1 xvdd w'),
  attach('99 phy:/dev/loop1 xvdd w'),
  attach('domu1 phy:/dev/nosuch xvdd w'),
  attach('domu1'),
  attach('domu1 phy:/dev/loop1'),
  attach('domu1 phy:/dev/loop1 xvdd x'),
  attach('domu1 phy:/dev/loop1 xvdd w!'),
  attach('domu1 /dev/loop1 xvdd w'),
  attach('domu1 phy:/dev/loop1 notadev w'),
  attach('domu1 phy:/dev/loop1 /dev/xvdd w'),
  detach('domu1 xvdd'),
  detach('domu1 999'),
  detach('domu1 notadev'),
  detach('domu1'),
  detach('nosuchdom xvdb'),
  words('xl block-list nosuchdom'),
  words('xl block-list'),
  words('xenstore-ls -f /local/nosuch'),
  look,
  // A guest that does not answer.
  words('xl pause domu1'),
  words('xl list domu1'),
  detach('domu1 xvdb'),
  attach('domu1 phy:/dev/loop2 xvdf w'),
  look,
  blockList,
  words('xl unpause domu1'),
  settled,
  look,
  detach('domu1 51728'),
  detach('domu1 xvdf'),
  look,
];

/** Of a disk, what the plugin reads. */
const keys = ['params', 'mode', 'state', 'online', 'hotplug-status', 'hotplug-error', 'physical-device', 'sectors', 'name', 'backend'];

test('stand-in xl and xenstore-ls › answer every command line as those of a real Dom0 do', async (t) => {
  t.timeout(280_000);
  const dom0: XenGuest = lab.xenGuest('dom0');
  await dom0.domu('domu2').start();
  t.deepEqual([await dom0.domu('domu1').id(), await dom0.domu('domu2').id()], [1, 2]);
  await dom0.script(
    'mkdir -p /tmp/disks /mnt/mounted; cd /tmp/disks; for i in 0 1 2 3; do truncate -s 1M $i; losetup /dev/loop$i $i; done',
  );
  await dom0.script(
    `mkdir -p "$(dirname ${longName})"; ln -s ../../loop0 ${longName}; mkfs.ext4 -q /dev/loop3 2>&1; mount /dev/loop3 /mnt/mounted`,
  );
  const said = await typed(
    dom0,
    lines,
    // A disk that is refused stays as it is.
    `settled() { local i; for i in {1..40}; do
      xenstore-ls -f /local/domain/0/backend/vbd | grep -qE '/state = "(1|5)"' || xenstore-ls -f /local/domain/1/device | grep -qE 'vbd/.*/state = "1"' || break; sleep 0.25; done; sleep 0.5; }`,
  );
  const root = await mkdtemp(join(tmpdir(), 'vbs-xen-lines-'));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  mkdirSync(join(root, 'dev'));
  const world = new XenWorld(root);
  for (const name of ['domu1', 'domu2']) world.start(name);
  const devices = [0, 1, 2, 3].map((nth) => world.devices.add(`/dev/loop${nth}`, { sizeBytes: MiB }));
  world.devices.link(longName, '/dev/loop0');
  if (devices[3] !== undefined) devices[3].mounted = 'rw';
  const stood: Said[] = [];
  for (const [tool = '', ...args] of lines) {
    const answer = tool === 'settled' ? {} : await world.tools[tool]?.({ args, input: '', root });
    const { exitCode = 0, stdout = '', stderr = '' } = answer ?? { exitCode: 127 };
    stood.push({ exitCode, stdout, stderr });
  }
  t.deepEqual(differing(lines, stood, said, comparable), []);
});

/** Without what is of one machine and moment: memory, times, numbers of event channels and grants, a script's pid, who runs just now. */
function comparable({ exitCode, stdout, stderr }: Said): object {
  return { exitCode, stdout: stdout.split('\n').flatMap(told), stderr: stderr.replace(/block add \[\d+\]/g, 'block add [pid]') };
}

function told(line: string): string | readonly string[] {
  const row = /^(\d+ +\d+ +\d+ +\d+) +-?\d+ +-?\d+ +(\/\S+) *$/.exec(line);
  if (row !== null) return `${row[1]} ${row[2]}`;
  const domain = /^(\S+ +\d+) +\d+ +\d+ +([a-z-]{6}) +\d+\.\d$/.exec(line);
  if (domain !== null) return `${domain[1]} ${domain[2]?.includes('p') ? 'paused' : 'runs'}`;
  const [, path] = /^ *(\S+) = "/.exec(line) ?? [];
  if (path === undefined) return line;
  const isOfDisk = path.startsWith('/') ? /\/vbd\/\d+\/|\/device\/vbd\/\d+\/|domain\/\d+\/name$/.test(path) : true;
  return isOfDisk && keys.includes(path.split('/').at(-1) ?? '') ? line : [];
}
