import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSshMachine } from '@vbs/core/internal/machine/ssh/ssh-machine.js';
import test, { type ExecutionContext } from 'ava';
import { onSsh, sshFixture } from './fixture.js';

/** The folder of a file system of 64 KiB. */
async function smallDisk(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'vbs-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' });
  t.teardown(async () => {
    execFileSync('umount', ['-l', folder]);
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}

function whyNot(): string | undefined {
  const folder = join(tmpdir(), `vbs-probe-${process.pid}`);
  try {
    mkdirSync(folder);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' });
    execFileSync('umount', ['-l', folder]);
    return undefined;
  } catch {
    return 'this user may mount no tmpfs';
  } finally {
    execFileSync('rmdir', [folder]);
  }
}

const reason = whyNot();
const onFullDisk = (title: string, body: (t: ExecutionContext) => Promise<void>): void => {
  if (reason === undefined) onSsh(title, body);
  else test.skip(`${title} (${reason})`, () => undefined);
};

onFullDisk('ssh writeFile › a full disk is RESOURCE_EXHAUSTED, and leaves what was there and no temporary', async (t) => {
  const { machine, call } = await sshFixture(t);
  const disk = await smallDisk(t);
  await machine.writeFile(call(), join(disk, 'file'), 'before', { guard: 'a' });
  const text = 'x'.repeat(200_000);
  await t.throwsAsync(machine.writeFile(call(), join(disk, 'file'), text, { guard: 'a' }), {
    code: 'RESOURCE_EXHAUSTED',
    message: /on vs1/,
  });
  t.is(await readFile(join(disk, 'file'), 'utf8'), 'before');
  t.deepEqual(await readdir(disk), ['file']);
});

onFullDisk('ssh guard › where its own disk is full nothing is begun', async (t) => {
  const disk = await smallDisk(t);
  const { sshd, here, call, path } = await sshFixture(t);
  const configuration = { host: 'vs1', configFile: sshd.configFile, stateDirectory: join(disk, 'state') };
  const machine = createSshMachine({ configuration, stateDirectory: here, log: call().log });
  t.teardown(() => machine.close());
  await machine.run(call({ epoch: 1 }), ['true'], { guard: 'a' });
  await writeFile(join(disk, 'filler'), Buffer.alloc(1_000_000)).catch(() => undefined);
  const touch = machine.run(call({ epoch: 2 }), ['touch', path('made')], { guard: 'a' });
  await t.throwsAsync(touch, { code: 'RESOURCE_EXHAUSTED' });
  await t.throwsAsync(readFile(path('made')), { code: 'ENOENT' });
  await rm(join(disk, 'filler'));
  await t.notThrowsAsync(machine.run(call({ epoch: 2 }), ['true'], { guard: 'a' }));
});
