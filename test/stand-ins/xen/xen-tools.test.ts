import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { ToolResult } from '../frame/tool.js';
import { XenWorld } from './world.js';

type Run = (...words: string[]) => ToolResult;

function newWorld(t: ExecutionContext): { readonly world: XenWorld; readonly run: Run; readonly root: string } {
  const root = mkdtempSync(join(tmpdir(), 'vbs-xen-tools-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  const world = new XenWorld(root);
  world.start('domu1');
  world.start('domu2');
  for (const name of ['loop0', 'loop1', 'loop3']) world.devices.add(`/dev/${name}`, { sizeBytes: 8 * 1024 * 1024 });
  const run: Run = (tool = '', ...args) => world.tools[tool]?.({ args, input: '', root }) as ToolResult;
  return { world, run, root };
}

const header = 'Vdev  BE  handle state evt-ch ring-ref BE-path                       \n';
const listed = (...rows: readonly string[]): ToolResult => ({ stdout: `${header}${rows.map((row) => `${row}\n`).join('')}`, stderr: '' });
const failed = (...lines: readonly string[]): ToolResult => ({ exitCode: 1, stderr: lines.map((line) => `${line}\n`).join('') });
const notAdded = (...lines: readonly string[]): ToolResult =>
  failed(
    ...lines.map((line) => `libxl: error: ${line}`),
    'libxl: error: libxl_device.c:1486:device_addrm_aocomplete: unable to add device',
    'libxl_device_disk_add failed.',
  );
const done: ToolResult = {};

test('the stand-in xl › answers as the real one in captures/xl-1.txt', (t) => {
  const { run } = newWorld(t);
  const attach = (...words: string[]): ToolResult => run('xl', 'block-attach', ...words);
  t.deepEqual(run('xl', 'domid', 'domu1'), { stdout: '1\n' });
  t.deepEqual(run('xl', 'domname', '1'), { stdout: 'domu1\n' });
  t.deepEqual(run('xl', 'block-list', 'domu1'), listed());
  t.deepEqual(attach('domu1', 'phy:/dev/loop0', 'xvdb', 'w'), done);
  const row = '51728 0   1      4     8      8        /local/domain/0/backend/vbd/1/51728';
  for (const domain of ['domu1', '1']) t.deepEqual(run('xl', 'block-list', domain), listed(row));
  for (const device of ['/dev/loop0', '/dev/loop1']) {
    t.deepEqual(
      attach('domu1', `phy:${device}`, 'xvdb', 'w'),
      notAdded('libxl_disk.c:343:device_disk_add: Domain 1:device already exists in xenstore'),
    );
  }
  t.deepEqual(attach('domu1', 'phy:/dev/loop0', 'xvdc', 'w'), done);
  t.deepEqual(attach('nosuchdom', 'phy:/dev/loop1', 'xvdd', 'w'), failed('nosuchdom is an invalid domain identifier'));
  t.deepEqual(
    attach('99', 'phy:/dev/loop1', 'xvdd', 'w'),
    notAdded('libxl_dom.c:37:libxl__domain_type: unable to get domain type for domid=99'),
  );
  t.deepEqual(
    attach('domu1', 'phy:/dev/nosuch', 'xvdd', 'w'),
    notAdded('libxl_device.c:455:libxl__device_disk_set_backend: Disk vdev=xvdd failed to stat: /dev/nosuch: No such file or directory'),
  );
  const usage = 'Usage: xl [-vtTfN] block-attach <Domain> <disk-spec-component(s)>...\n\nCreate a new virtual block device.\n\n';
  t.deepEqual(attach('domu1'), { exitCode: 2, stdout: usage, stderr: "'xl block-attach' requires at least 2 arguments.\n\n" });
  const spec = (text: string): ToolResult => failed(`command line: config parsing error in disk specification: ${text}`);
  t.deepEqual(attach('domu1', 'phy:/dev/loop1'), spec("no vdev specified in `phy:/dev/loop1'"));
  t.deepEqual(attach('domu1', 'phy:/dev/loop1', 'xvdd', 'x'), spec("unknown value for access: near `x' in `x'"));
  t.deepEqual(attach('domu1', '/dev/loop1', 'xvdd', 'w'), spec("unknown value for format: near `xvdd' in `xvdd'"));
  for (const vdev of ['notadev', '/dev/xvdb']) {
    const told = `Domain 1:Invalid or unsupported virtual disk identifier ${vdev}`;
    t.deepEqual(
      attach('domu1', 'phy:/dev/loop1', vdev, 'w'),
      notAdded(`libxl_disk.c:214:libxl__device_from_disk: ${told}`, `libxl_disk.c:335:device_disk_add: ${told}`),
    );
  }
  const detach = (...words: string[]): ToolResult => run('xl', 'block-detach', ...words);
  t.deepEqual(detach('domu1', 'xvdb'), done);
  for (const [vdev, number] of [
    ['xvdb', 51728],
    ['xvdz', 268441856],
    ['999', 999],
  ] as const) {
    t.deepEqual(
      detach('domu1', vdev),
      failed(
        `libxl: error: libxl_disk.c:516:libxl__disk_from_xenstore: disk /libxl/1/device/vbd/${number} does not exist (no backend path`,
        `Error: Device ${vdev} not connected.`,
      ),
    );
  }
  t.deepEqual(detach('domu1', 'notadev'), failed('Error: Device notadev not connected.'));
  t.deepEqual(detach('nosuchdom', 'xvdb'), failed('nosuchdom is an invalid domain identifier (rc=-6)'));
  t.like(detach('domu1'), { exitCode: 2, stderr: "'xl block-detach' requires at least 2 arguments.\n\n" });
  t.deepEqual(run('xl', 'block-list', 'nosuchdom'), { stdout: header, stderr: 'nosuchdom is an invalid domain identifier\n' });
  t.like(run('xl', 'block-list'), { exitCode: 2, stderr: "'xl block-list' requires at least 1 argument.\n\n" });
  t.deepEqual(run('xl', 'domid', 'nosuchdom'), failed("Can't get domid of domain name 'nosuchdom', maybe this domain does not exist."));
  t.deepEqual(run('xl', 'list', 'nosuchdom'), failed('nosuchdom is an invalid domain identifier (rc=-6)'));
});

test('the stand-in xl › shares devices as the real one in captures/xl-2.txt, and leaves entries of what it refused', (t) => {
  const { world, run } = newWorld(t);
  const attach = (domain: string, device: string, vdev: string, mode: string): ToolResult =>
    run('xl', 'block-attach', domain, `phy:${device}`, vdev, mode);
  const refused = (domid: number, number: number, why: string): ToolResult =>
    failed(
      'libxl: error: libxl_exec.c:117:libxl_report_child_exitstatus: /etc/xen/scripts/block add [1105] exited with error status 1',
      `libxl: error: libxl_device.c:1337:device_hotplug_child_death_cb: script: ${why}`,
      `libxl: error: libxl_device.c:1481:device_addrm_aocomplete: Domain ${domid}:Unable to add vbd with id ${number}`,
      'libxl_device_disk_add failed.',
    );
  t.deepEqual(attach('domu1', '/dev/loop0', 'xvdb', 'r'), done);
  t.deepEqual(attach('domu2', '/dev/loop0', 'xvdb', 'r'), done);
  t.deepEqual(run('xl', 'block-detach', 'domu2', 'xvdb'), done);
  const guest = 'Device /dev/loop0 is mounted in a guest domain,\nand so cannot be mounted now.';
  t.deepEqual(attach('domu2', '/dev/loop0', 'xvdb', 'w'), refused(2, 51728, guest));
  t.regex(run('xl', 'block-list', 'domu2').stdout ?? '', /^51728 0 {3}2 {6}3 /m);
  t.deepEqual(attach('domu1', '/dev/loop1', 'xvdc', 'w'), done);
  const both = 'Device /dev/loop1 is mounted read-write in a guest domain,\nand so cannot be mounted read-only now.';
  t.deepEqual(attach('domu2', '/dev/loop1', 'xvdd', 'r'), refused(2, 51760, both));
  t.is(attach('domu2', '/dev/loop1', 'xvde', 'w!').exitCode, 1);
  const device = world.devices.find('/dev/loop3');
  if (typeof device !== 'object') return t.fail('no device');
  device.mounted = 'rw';
  const dom0 = 'Device /dev/loop3 is mounted in the privileged domain,\nand so cannot be mounted by a guest.';
  t.deepEqual(attach('domu1', '/dev/loop3', 'xvdf', 'w'), refused(1, 51792, dom0));
  const dom0Too = 'Device /dev/loop3 is mounted read-write in the privileged domain,\nand so cannot be mounted read-only by a guest.';
  t.deepEqual(attach('domu1', '/dev/loop3', 'xvdg', 'r'), refused(1, 51808, dom0Too));
  device.mounted = 'ro';
  t.deepEqual(attach('domu1', '/dev/loop3', 'xvdh', 'r'), done);
  // The entry blocks the next try until it is detached.
  device.mounted = undefined;
  t.is(attach('domu1', '/dev/loop3', 'xvdf', 'w').exitCode, 1);
  t.deepEqual(run('xl', 'block-detach', 'domu1', 'xvdf'), done);
  t.deepEqual(attach('domu1', '/dev/loop3', 'xvdf', 'w'), done);
});

test('the stand-in xl › spells disks, and treats odd sources, paused guests and guests without a driver, as in captures/xl-3.txt and xl-4.txt', (t) => {
  const { world, run, root } = newWorld(t);
  const attach = (...words: string[]): ToolResult => run('xl', 'block-attach', ...words);
  t.deepEqual(attach('domu1', 'phy:/dev/loop0,xvdb,w'), done);
  t.deepEqual(run('xl', 'block-detach', 'domu1', '51728'), done);
  t.regex(attach('1', 'phy:loop0', 'xvdb', 'w').stderr ?? '', /failed to stat: loop0: No such file/);
  t.deepEqual(run('xl', 'block-detach', '1', '/dev/xvdb'), failed('Error: Device /dev/xvdb not connected.'));
  t.regex(attach('domu1', 'target=/dev/loop0,vdev=xvdc,access=rw').stderr ?? '', /no vdev specified in `target=/);
  for (const words of [
    ['/dev/loop1,raw,xvde,ro'],
    ['phy:/dev/loop1', 'sdf', 'w'],
    ['phy:/dev/loop1', 'hdc', 'w'],
    ['phy:/dev/loop1', '0xca80', 'rw'],
  ])
    t.deepEqual(attach('domu1', ...words), done);
  t.regex(attach('domu1', 'phy:/dev/loop1', 'xvdl', 'w', '0').stderr ?? '', /too many positional parameters: near `0'/);
  const numbers = (run('xl', 'block-list', 'domu1').stdout ?? '').split('\n').slice(1, -1);
  t.deepEqual(numbers.map((line) => line.split(' ')[0]).toSorted(), ['2128', '51776', '51840', '5632']);
  mkdirSync(join(root, 'tmp'));
  t.deepEqual(attach('domu2', 'phy:/tmp', 'xvdb', 'w'), done);
  t.regex(run('xl', 'block-list', 'domu2').stdout ?? '', /^51728 0 {3}2 {6}1 {5}-1 {5}-1 {7}\/local\/domain\/0\/backend\/qdisk\/2\/51728/m);
  t.deepEqual(run('xl', 'block-detach', 'domu2', 'xvdb'), done);

  const state = (): string | undefined => /^51744 +0 +2 +(\d)/m.exec(run('xl', 'block-list', 'domu2').stdout ?? '')?.[1];
  world.pause('domu2');
  t.true(
    run('xl', 'list', 'domu2').stdout?.endsWith('\ndomu2                                        2   128     1     --p---      11.8\n'),
  );
  t.deepEqual(attach('domu2', 'phy:/dev/loop0', 'xvdc', 'w'), done);
  t.is(state(), '1');
  t.deepEqual(
    run('xl', 'block-detach', 'domu2', 'xvdc'),
    failed(
      'libxl: error: libxl_device.c:1181:device_backend_callback: Domain 2:unable to remove device with path /local/domain/0/backend/vbd/2/51744',
      'libxl: error: libxl_device.c:1481:device_addrm_aocomplete: Domain 2:Unable to remove vbd with id 51744',
      'libxl_device_disk_safe_remove failed.',
    ),
  );
  t.is(state(), '1');
  world.unpause('domu2');
  t.is(state(), '6');
  t.deepEqual(run('xl', 'block-detach', 'domu2', 'xvdc'), done);
  world.setFrontend('domu2', false);
  t.deepEqual(attach('domu2', 'phy:/dev/loop0', 'xvdc', 'w'), done);
  t.is(state(), '1');
  world.setFrontend('domu2', true);
  t.is(state(), '4');
  world.destroy('domu2');
  t.deepEqual(run('xl', 'block-list', 'domu2'), { stdout: header, stderr: 'domu2 is an invalid domain identifier\n' });
  world.root = false;
  const notRoot = failed(
    'xencall: error: Could not obtain handle on privileged command interface: Permission denied',
    'libxl: error: libxl.c:102:libxl_ctx_alloc: cannot open libxc handle: Permission denied',
    'cannot init xl context',
  );
  t.deepEqual(run('xl', 'list'), notRoot);
  t.deepEqual(run('xl', 'nosuchcommand'), failed('command not implemented'));
});

test('the stand-in xl › lists as JSON what it has attached', (t) => {
  const { run } = newWorld(t);
  run('xl', 'block-attach', 'domu1', 'phy:/dev/loop1', 'xvdb', 'w');
  run('xl', 'block-attach', 'domu1', 'phy:/dev/loop0', 'xvdc', 'r');
  const [domain] = JSON.parse(run('xl', 'list', '-l', 'domu1').stdout ?? '') as {
    readonly domid: number;
    readonly config: { readonly disks: object };
  }[];
  t.is(domain?.domid, 1);
  t.deepEqual(domain?.config.disks, [
    { pdev_path: '/dev/loop1', vdev: 'xvdb', format: 'raw', readwrite: 1 },
    { pdev_path: '/dev/loop0', vdev: 'xvdc', format: 'raw' },
  ]);
});

test('the stand-in xm › has its own texts and exit codes, takes what xl refuses, and destroys what could not be connected', (t) => {
  const { world, run } = newWorld(t);
  const error = (text: string, exitCode = 1): ToolResult => ({ exitCode, stderr: `Error: ${text}\n` });
  const attach = (...words: string[]): ToolResult => run('xm', 'block-attach', ...words);
  t.deepEqual(run('xm', 'block-list', 'domu1'), done);
  t.deepEqual(attach('x', 'phy:/dev/loop0', 'xvdb', 'w'), error("Domain 'x' does not exist.", 3));
  t.is(attach('domu1', 'phy:/dev/loop0', 'xvdb').exitCode, 1);
  t.deepEqual(attach('domu1', 'phy:loop0', '/dev/xvdb', 'w', '0'), done);
  t.deepEqual(attach('domu1', 'phy:/dev/loop1', 'xvdb', 'w'), error('Device xvdb (51728, vbd) is already connected.'));
  t.deepEqual(attach('domu2', 'phy:/dev/loop0', 'xvdb', 'w!'), done);
  t.deepEqual(run('xm', 'block-detach', 'domu2', '51728'), done);
  t.deepEqual(run('xm', 'block-detach', 'domu2', 'xvdb'), error('Device xvdb not connected'));
  t.regex(
    attach('domu2', 'phy:/dev/loop0', 'xvdb', 'w').stderr ?? '',
    /could not be connected\. Device \/dev\/loop0 is mounted in a guest domain/,
  );
  world.hotplugHangs = true;
  t.deepEqual(
    attach('domu2', 'phy:/dev/loop1', 'xvdb', 'w'),
    error('Device 51728 (vbd) could not be connected. Hotplug scripts not working.'),
  );
  t.deepEqual(run('xm', 'block-list', 'domu2'), done);
});

test('the stand-in xenstore-ls › cuts at 80 columns without -f, and escapes byte by byte, as the real one', (t) => {
  const { world, run } = newWorld(t);
  const path = '/dev/disk/by-path/ip-10.0.2.2:3260-iscsi-iqn.2009-11.edu.iu.vbs:01234567:exp-0123456789abcdef0-lun-1';
  world.store.write('/b/vbd/1/51728', { params: path, uni: 'aéb\nc\t"q"\\' });
  t.deepEqual(run('xenstore-ls', '/b'), {
    stdout: [
      'vbd = ""',
      ' 1 = ""',
      '  51728 = ""',
      '   params = "/dev/disk/by-path/ip-10.0.2.2:3260-iscsi-iqn.2009-11.edu.iu.vbs\\..."',
      '   uni = "a\\xc3\\xa9b\\nc\\t"q"\\\\"',
      '',
    ].join('\n'),
  });
  t.regex(run('xenstore-ls', '-f', '/b').stdout ?? '', new RegExp(`^/b/vbd/1/51728/params = "${path}"$`, 'm'));
  const says = (text: string): ToolResult => ({ exitCode: 1, stderr: `xenstore-ls: ${text}\n` });
  t.deepEqual(run('xenstore-ls', '-f', '/nosuch'), says('xs_directory (/nosuch): No such file or directory'));
  t.deepEqual(run('xenstore-ls', '--help'), says('Usage: xenstore-ls [-h] [-f] [-p] [-s] [path]'));
  world.xenstored = false;
  t.deepEqual(run('xenstore-ls', '/b'), says('xs_open: No such file or directory'));
});
