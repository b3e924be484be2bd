import { chmod, chown, mkdir, readdir, readFile, statfs, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { cannotMount, mountTmpfs, remount } from '../plugins/file/mounts.js';
import { asNobody, nobody, testAsNobody } from '../support/as-nobody.js';
import { embedded, newFolder, startServer, vbs } from './vbs.js';

const withMount = cannotMount ? test.serial.skip : test.serial;
const mounted = (text: string): string => (cannotMount ? `${text} (skipped: ${cannotMount})` : text);
const MiB = 1024 * 1024;

interface Report {
  readonly findings: readonly { readonly check: string; readonly state: string; readonly detail: string; readonly todo: string | null }[];
}

test.serial('state directory › a link in place of vbs.lock is refused, and the file that it names keeps its content', async (t) => {
  const { folder, try: attempt } = await embedded(t);
  const precious = join(await newFolder(t), 'precious');
  await writeFile(precious, 'precious');
  await mkdir(folder, { mode: 0o700 });
  await symlink(precious, join(folder, 'vbs.lock'));
  for (const given of [['describe-volumes'], ['serve', '--port', '0']]) {
    const { code, err } = await attempt(...given);
    t.is(code, 1);
    t.regex(err, /FAILED_PRECONDITION: .*vbs\.lock is a link/);
  }
  t.is(await readFile(precious, 'utf8'), 'precious');
});

test.serial('state directory › one in which others may write is refused with the command that closes it', async (t) => {
  const { folder, try: attempt, run } = await embedded(t);
  await mkdir(folder);
  await chmod(folder, 0o777);
  const { code, err } = await attempt('create-volume', '1MiB');
  t.is(code, 1);
  t.true(err.includes(`PERMISSION_DENIED: others may write in ${folder}: chmod 0700 ${folder}`), err);
  t.deepEqual(await readdir(folder), []);
  await chmod(folder, 0o700);
  await run('create-volume', '1MiB');
});

testAsNobody(asNobody('state directory › root makes nothing in another user’s store, which that user could not delete'), async (t) => {
  const { folder, try: attempt } = await embedded(t);
  await mkdir(folder, { mode: 0o700 });
  await chown(folder, nobody.uid, nobody.gid);
  for (const given of [
    ['create-volume', '1MiB'],
    ['serve', '--port', '0'],
  ]) {
    const { code, err } = await attempt(...given);
    t.is(code, 1);
    t.true(err.includes(`PERMISSION_DENIED: ${folder} belongs to the user ${nobody.uid}, and this is 0`), err);
  }
  t.deepEqual(await readdir(folder), []);
});

testAsNobody(asNobody('vbs doctor › finds a file of the store that belongs to another user than its directory'), async (t) => {
  const { folder, run, try: attempt } = await embedded(t);
  await run('create-volume', '1MiB');
  await chown(join(folder, 'vbs.sqlite'), nobody.uid, nobody.gid);
  const { code, out } = await attempt('doctor', '--output', 'json');
  t.is(code, 1);
  const { findings } = JSON.parse(out) as Report;
  t.is(findings.find(({ check }) => check === 'vbs.sqlite')?.todo, `chown 0 ${join(folder, 'vbs.sqlite')}`);
});

withMount(mounted('state directory › on a read-only file system, commands and serve say so, as PERMISSION_DENIED'), async (t) => {
  const folder = await mountTmpfs(t, 32 * MiB);
  await chmod(folder, 0o700);
  const environment = { VBS_DATA_DIR: folder };
  t.is((await vbs(t, ['create-volume', '1MiB'], { environment })).code, 0);
  await remount(folder, 'ro');
  for (const given of [['describe-volumes'], ['serve', '--port', '0']]) {
    const { code, err } = await vbs(t, given, { environment });
    t.is(code, 1);
    t.regex(err, /PERMISSION_DENIED: .*EROFS.*mount its disk read-write/);
  }
});

withMount(mounted('vbs doctor › a full disk is a fault of the pool and of the bookkeeping, also while the server runs'), async (t) => {
  const folder = await mountTmpfs(t, 32 * MiB);
  await chmod(folder, 0o700);
  const environment = { VBS_DATA_DIR: folder };
  const store = await startServer(t, { ...(await embedded(t)), folder, environment });
  t.is((await vbs(t, ['doctor'], { environment })).code, 0);
  const { bavail, bsize } = await statfs(folder);
  await writeFile(join(folder, 'ballast'), Buffer.alloc(bavail * bsize));
  const { code, out } = await vbs(t, ['doctor', '--output', 'json'], { environment });
  t.is(code, 1);
  const faults = (JSON.parse(out) as Report).findings.filter(({ state }) => state === 'fault').map(({ check }) => check);
  t.deepEqual(faults.sort(), ['pool local/files', 'room']);
  store.server.process.kill('SIGTERM');
  await store.server.ended();
});

test.serial('vbs describe-volumes › --quiet tells a script on standard error that these are not all', async (t) => {
  const { run, try: attempt } = await embedded(t);
  for (let made = 0; made < 2; made++) await run('create-volume', '1MiB');
  const { code, out, err } = await attempt('describe-volumes', '--quiet', '--limit', '1');
  t.is(code, 0);
  t.regex(out, /^vol-[0-9a-f]{17}\n$/);
  t.regex(err, /there are more: --all/);
  const all = await attempt('describe-volumes', '--quiet', '--all');
  t.is(all.out.trim().split('\n').length, 2);
  t.is(all.err, '');
});
