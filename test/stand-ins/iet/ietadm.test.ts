import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { IetWorld } from './iet-world.js';
import { ietadm } from './ietadm.js';
import { isAllowed } from './login-access.js';

interface Bench {
  readonly world: IetWorld;
  run(words: string): { readonly exitCode: number; readonly stdout: string; readonly stderr: string };
  file(path: string): Promise<string>;
}

async function bench(t: ExecutionContext): Promise<Bench> {
  const root = await mkdtemp(join(tmpdir(), 'vbs-ietadm-'));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  const world = new IetWorld(root);
  world.makeFile('/path/lv1.img', 1024 * 1024);
  world.makeFile('/path/lv2.img', 1024 * 1024);
  world.makeDevice('/dev/vg0/lv', 1024 * 1024);
  return {
    world,
    run: (words) => {
      const args = words === '' ? [] : words.split(' ');
      const { exitCode = 0, stdout = '', stderr = '' } = ietadm(world, { args, input: '', root });
      return { exitCode, stdout, stderr };
    },
    file: (path) => readFile(join(root, path), 'utf8'),
  };
}

const target = '--op new --tid=1 --params Name=iqn.a';
const lun = '--op new --tid=1 --lun=0 --params Path=/path/lv1.img';

const answers = test.macro<[readonly string[], string, number, string]>(async (t, before, words, exitCode, stderr) => {
  const { run } = await bench(t);
  for (const one of before) t.is(run(one).exitCode, 0, one);
  t.deepEqual(run(words), { exitCode, stdout: '', stderr });
});
const title = 'ietadm (stand-in), by its sheet ›';
const perm = 'Operation not permitted.\n';
const inval = 'Invalid argument.\n';
const noent = 'No such file or directory.\n';
test(`${title} a new target`, answers, [], target, 0, '');
test(`${title} = and a space are the same`, answers, [target], '--op delete --tid 1', 0, '');
test(`${title} short options`, answers, [target], '-o delete -t1', 0, '');
test(`${title} a name takes everything after the first =`, answers, [], '--op new --tid=1 --params Name=iqn.a,b=c', 0, '');
test(`${title} a name that is there in other letters`, answers, [target], '--op new --tid=2 --params Name=IQN.A', 234, inval);
test(`${title} a target id that is there`, answers, [target], '--op new --tid=1 --params Name=iqn.b', 255, perm);
test(`${title} an empty name`, answers, [], '--op new --tid=1 --params Name=', 255, perm);
test(`${title} a wrong Name=`, answers, [], '--op new --tid=1 --params Nome=iqn.a', 234, inval);
test(`${title} a bad operation`, answers, [], '--op make --tid=1', 234, 'You must specify the operation type\n');
test(`${title} a LUN`, answers, [target], lun, 0, '');
test(`${title} a LUN that is there`, answers, [target, lun], lun, 255, perm);
test(`${title} a LUN of a bad path`, answers, [target], '--op new --tid=1 --lun=0 --params Path=/none', 255, perm);
test(`${title} a LUN without a path`, answers, [target], '--op new --tid=1 --lun=0 --params Type=fileio', 255, perm);
test(`${title} a LUN of a bad type`, answers, [target], `${lun},Type=raw`, 255, perm);
test(`${title} a LUN with an unknown key`, answers, [target], `${lun},Foo=1`, 255, perm);
test(`${title} a LUN whose path holds a comma`, answers, [target], `${lun},lv2.img`, 255, perm);
test(`${title} blockio on a file`, answers, [target], `${lun},Type=blockio`, 255, perm);
test(`${title} blockio on a device`, answers, [target], '--op new --tid=1 --lun=0 --params Path=/dev/vg0/lv,Type=blockio', 0, '');
test(`${title} a LUN above 16383`, answers, [target], '--op new --tid=1 --lun=16384 --params Path=/path/lv1.img', 255, perm);
test(`${title} a LUN of an unknown target`, answers, [], lun, 255, perm);
test(`${title} a serial number of 17 characters`, answers, [target], `${lun},ScsiSN=12345678901234567`, 255, perm);
test(`${title} a LUN without --params`, answers, [target], '--op new --tid=1 --lun=0', 139, 'Segmentation fault\n');
test(`${title} shows no unknown target`, answers, [], '--op show --tid=1', 255, perm);
test(`${title} updates no unknown target`, answers, [], '--op update --tid=1 --params=Wthreads=8', 255, perm);
test(`${title} an unknown parameter`, answers, [target], '--op update --tid=1 --params=Foo=1', 234, 'Unknown parameter "Foo".\n');
test(
  `${title} a bad value`,
  answers,
  [target],
  '--op update --tid=1 --params=InitialR2T=maybe',
  234,
  'Invalid InitialR2T value "maybe".\n',
);
test(`${title} deletes no unknown LUN`, answers, [target], '--op delete --tid=1 --lun=3', 255, perm);
test(`${title} deletes no unknown target`, answers, [], '--op delete --tid=1', 254, noent);
test(`${title} an unknown connection`, answers, [target], '--op delete --tid=1 --sid=7 --cid=0', 2, '');
test(`${title} an unknown account`, answers, [target], '--op delete --tid=1 --user --params=IncomingUser=joe', 254, noent);
test(`${title} an account of an unknown target`, answers, [], '--op new --tid=9 --user --params=IncomingUser=joe,Password=x', 0, '');
test(
  `${title} an account without a password`,
  answers,
  [target],
  '--op new --tid=1 --user --params=IncomingUser=joe',
  234,
  'Username and password must be specified\n',
);
test(`${title} extra words`, answers, [], '--op show extra', 255, "unrecognized: extra\nTry `ietadm --help' for more information.\n");

test(`${title} a bad option, short and long`, async (t) => {
  const { run } = await bench(t);
  for (const words of ['--bad', '-x', '--op delete --tid', '--user=joe']) {
    const { exitCode, stderr } = run(words);
    t.is(exitCode, 255);
    t.true(stderr.endsWith("Try `ietadm --help' for more information.\n"));
  }
});

test(`${title} every command without ietd is refused`, async (t) => {
  const { world, run } = await bench(t);
  world.stop();
  for (const words of [
    target,
    lun,
    '--op delete --tid=1',
    '--op show --tid=1',
    '--op show --tid=1 --user',
    '--op delete --tid=1 --sid=1 --cid=0',
  ])
    t.deepEqual(run(words), { exitCode: 145, stdout: '', stderr: 'Connection refused.\n' }, words);
  t.is(run('--version').stdout, 'ietadm version 1.4.19\n');
});

test(`${title} "--op delete" alone stops everything`, async (t) => {
  const { world, run, file } = await bench(t);
  run(target);
  t.is(run('--op delete').exitCode, 0);
  t.false(world.runs);
  t.is(await file('/proc/net/iet/volume'), '');
  t.false((await file('/proc/net/unix')).includes('IET_ABSTRACT'));
});

test(`${title} an account is added as often as it is asked, and shown with its password by its name`, async (t) => {
  const { run } = await bench(t);
  run(target);
  for (let time = 0; time < 2; time++) run('--op new --tid=1 --user --params=IncomingUser=joe,Password=hush');
  t.is(run('--op show --tid=1 --user').stdout, 'IncomingUser joe\nIncomingUser joe\n');
  t.true(run('--op show --tid=1 --user --params=IncomingUser=joe').stdout.includes('hush'));
  t.is(run('--op show --tid=1').stdout, 'Wthreads=8\nType=0\nQueuedCommands=32\nNOPInterval=0\nNOPTimeout=0\n');
});

test(`${title} /proc/net/iet, newest target first, and what a session is there`, async (t) => {
  const { world, run, file } = await bench(t);
  run('--op new --tid=1 --params Name=iqn.2009-11.edu.iu.vbs:lv1');
  run(lun);
  run('--op new --tid=1 --lun=1 --params Path=/path/lv2.img,IOMode=ro');
  run('--op new --tid=2 --params Name=iqn.2009-11.edu.iu.vbs:lv3');
  t.is(
    await file('/proc/net/iet/volume'),
    `tid:2 name:iqn.2009-11.edu.iu.vbs:lv3
tid:1 name:iqn.2009-11.edu.iu.vbs:lv1
\tlun:0 state:0 iotype:fileio iomode:wt path:/path/lv1.img
\tlun:1 state:0 iotype:fileio iomode:ro path:/path/lv2.img
`,
  );
  world.allowFile = 'ALL ALL\n';
  const disk = world.login({ iqn: 'iqn.2009-11.edu.iu.vbs:lv1', initiator: 'iqn.1994-05.com:5a6894679665' });
  const told = await file('/proc/net/iet/session');
  const [, sid = ''] = /\tsid:(\d+) initiator/.exec(told) ?? [];
  t.is(
    told,
    `tid:2 name:iqn.2009-11.edu.iu.vbs:lv3
tid:1 name:iqn.2009-11.edu.iu.vbs:lv1
\tsid:${sid} initiator:iqn.1994-05.com:5a6894679665
\t\tcid:0 ip:192.168.122.1 state:active hd:none dd:none
`,
  );
  t.deepEqual(run('--op delete --tid=1'), { exitCode: 240, stdout: '', stderr: 'Device or resource busy.\n' });
  t.is(run(`--op delete --tid=1 --sid=${sid} --cid=0`).exitCode, 0);
  await t.throwsAsync(disk.read(0, 512));
  t.is(run('--op delete --tid=1').exitCode, 0);
  world.restart();
  t.is(await file('/proc/net/iet/volume'), '');
});

const admits = test.macro<[string | null, boolean]>(async (t, text, expected) => {
  const { world } = await bench(t);
  if (text === null) await rm(join(world.root, 'etc/iet/initiators.allow'));
  else world.allowFile = text;
  t.is(isAllowed(world.root, { iqn: 'iqn.t', initiator: 'iqn.2009-11.org:n1', address: '10.1.2.3' }), expected);
});
const access = 'initiators.allow (stand-in) ›';
test(`${access} no file lets everybody in`, admits, null, true);
test(`${access} no line lets nobody in`, admits, '', false);
test(`${access} ALL`, admits, 'ALL ALL\n', true);
test(`${access} a last line without a newline is ignored`, admits, 'ALL ALL', false);
test(`${access} the first matching line decides`, admits, 'iqn.t 10.9.9.9\nALL ALL\n', false);
test(`${access} an address`, admits, 'iqn.other ALL\nIQN.T 10.9.9.9, 10.1.2.3\n', true);
test(`${access} a network`, admits, 'iqn.t\t10.0.0.0/8\n', true);
test(`${access} another network`, admits, 'iqn.t [fe80::]/64,11.0.0.0/8\n', false);
test(`${access} a name, whose dots mean any character`, admits, 'iqn.t iqn.2009.11.org:n1\n', true);
test(`${access} a name is matched as a whole`, admits, 'iqn.t iqn\\.2009-11\\.org:n\n', false);
test(`${access} a bracket that is never closed ends a list`, admits, 'iqn.t [vbs-open-rw-1,ALL\n', false);
test(`${access} a comment`, admits, '#ALL ALL\n', false);
