import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Call, isVbsError, type Machine, Secret, type VbsError } from '@vbs/core';
import { writeLockName } from '@vbs/core/internal/machine/file-swap.js';
import { createLocalMachine } from '@vbs/core/internal/machine/local-machine.js';
import { tryLockFile } from '@vbs/core/internal/machine/lock-file.js';
import type { ExecutionContext } from 'ava';
import { type AnyFixture, eventually, onEachMachine, onSsh, pidIn, spawnHolder, sshFixture } from './fixture.js';

const guard = 'vs1/one';

onEachMachine(
  'writeFile ifStill › writes where the file holds the text that was read, and not where it holds another',
  async (t, fixture) => {
    const { machine, call, path } = await fixture(t);
    const file = path('file');
    await machine.writeFile(call(), file, 'zwei\n\nLeitungen: ä, \\n, $(reboot)\n\n', { guard });
    const read = await machine.readFile(call(), file);
    await machine.writeFile(call(), file, 'three', { guard, ifStill: read, mode: 0o640 });
    t.is(await readFile(file, 'utf8'), 'three');
    t.is((await stat(file)).mode & 0o777, 0o640);
    for (const ifStill of [read, 'three\n', 'thre', 'Three', '', null]) {
      const error = await t.throwsAsync<VbsError>(machine.writeFile(call(), file, 'late', { guard, ifStill }), { code: 'ABORTED' });
      t.is(error?.context.path, file);
    }
    t.is(await readFile(file, 'utf8'), 'three');
    t.deepEqual((await readdir(path('.'))).filter((name) => name !== 'here').sort(), ['file', 'state']);
  },
);

onEachMachine('writeFile ifStill › an empty file holds an empty text, and is not absent', async (t, fixture) => {
  const { machine, call, path } = await fixture(t);
  await machine.writeFile(call(), path('file'), '', { guard });
  await t.throwsAsync(machine.writeFile(call(), path('file'), 'x', { guard, ifStill: null }), { code: 'ABORTED' });
  await machine.writeFile(call(), path('file'), 'x', { guard, ifStill: '' });
  t.is(await readFile(path('file'), 'utf8'), 'x');
});

onEachMachine('writeFile ifStill › null writes a file that is absent, and no text is what an absent file holds', async (t, fixture) => {
  const { machine, call, path } = await fixture(t);
  for (const ifStill of ['', 'x']) {
    await t.throwsAsync(machine.writeFile(call(), path('file'), 'x', { guard, ifStill }), { code: 'ABORTED' });
  }
  await t.throwsAsync(stat(path('file')), { code: 'ENOENT' });
  await machine.writeFile(call(), path('file'), 'made', { guard, ifStill: null });
  t.is(await readFile(path('file'), 'utf8'), 'made');
  await t.throwsAsync(machine.writeFile(call(), path('file'), 'again', { guard, ifStill: null }), { code: 'ABORTED' });
  await t.throwsAsync(machine.writeFile(call(), path('none/file'), 'x', { guard, ifStill: null }), { code: 'NOT_FOUND' });
});

onEachMachine('writeFile ifStill › what is no UTF-8 is never what was read', async (t, fixture) => {
  const { machine, call, path } = await fixture(t);
  await writeFile(path('file'), Buffer.from([0x61, 0xff, 0x62]));
  const read = await machine.readFile(call(), path('file'));
  await t.throwsAsync(machine.writeFile(call(), path('file'), 'x', { guard, ifStill: read }), { code: 'ABORTED' });
  t.deepEqual(await readFile(path('file')), Buffer.from([0x61, 0xff, 0x62]));
});

onEachMachine('writeFile ifStill › takes 1 MiB, and refuses more before anything is written', async (t, fixture) => {
  const { machine, call, path } = await fixture(t);
  const most = 'ü'.repeat(512 * 1024);
  await machine.writeFile(call(), path('file'), most, { guard, ifStill: null });
  await machine.writeFile(call(), path('file'), most.replace('ü', 'ab'), { guard, ifStill: most });
  const there = await readFile(path('file'), 'utf8');
  const tooLong = await t.throwsAsync<VbsError>(machine.writeFile(call(), path('file'), 'x', { guard, ifStill: `${most}x` }), {
    code: 'OUT_OF_RANGE',
  });
  t.like(tooLong?.context, { field: 'ifStill', maxBytes: 1024 * 1024 });
  const tooMuch = await t.throwsAsync<VbsError>(
    machine.writeFile(call(), path('file'), new Secret(`${most}x`), { guard, ifStill: there }),
    { code: 'OUT_OF_RANGE' },
  );
  t.is(tooMuch?.context.field, 'text');
  t.is(await readFile(path('file'), 'utf8'), there);
  await writeFile(path('file'), `${there}${there}`);
  await t.throwsAsync(machine.writeFile(call(), path('file'), 'x', { guard, ifStill: there }), { code: 'ABORTED' });
});

onEachMachine('writeFile ifStill › refuses a folder and a pipe, and follows a link', async (t, fixture) => {
  const { machine, call, path } = await fixture(t);
  await mkdir(path('folder'));
  await machine.run(call(), ['mkfifo', path('pipe')]);
  for (const name of ['folder', 'pipe']) {
    await t.throwsAsync(machine.writeFile(call(), path(name), 'x', { guard, ifStill: '' }), { code: 'FAILED_PRECONDITION' });
  }
  await writeFile(path('file'), 'one');
  await symlink(path('file'), path('link'));
  await machine.writeFile(call(), path('link'), 'two', { guard, ifStill: 'one' });
  t.is(await readFile(path('link'), 'utf8'), 'two');
});

/** Adds one to the number in a file, as often as another writer is in between. */
async function increment(machine: Machine, call: () => Call, file: string, guard: string): Promise<number> {
  for (let tries = 1; tries < 500; tries++) {
    const before = await machine.readFile(call(), file);
    try {
      await machine.writeFile(call(), file, `${Number(before) + 1}\n`, { guard, ifStill: before });
      return tries;
    } catch (error) {
      if (!isVbsError(error) || error.code !== 'ABORTED') throw error;
    }
  }
  throw new Error('500 tries were too few');
}

const increments = 2;

async function racedBy(t: ExecutionContext, { call, path }: Pick<AnyFixture, 'call' | 'path'>, machines: readonly Machine[]) {
  await writeFile(path('number'), '0\n');
  await Promise.all(
    machines.map(async (machine, writer) => {
      for (let count = 0; count < increments; count++) await increment(machine, call, path('number'), `writer-${writer}`);
    }),
  );
  t.is(await readFile(path('number'), 'utf8'), `${machines.length * increments}\n`);
}

onEachMachine('writeFile ifStill › eight writers that race lose no increment of one file', async (t, makeFixture) => {
  const fixture = await makeFixture(t);
  await racedBy(
    t,
    fixture,
    Array.from({ length: 8 }, () => fixture.machine),
  );
});

onEachMachine('writeFile ifStill › loses no increment of writers in processes of their own', async (t, makeFixture) => {
  const fixture = await makeFixture(t);
  await writeFile(fixture.path('number'), '0\n');
  const body = (writer: number): string => `
    const file = ${JSON.stringify(fixture.path('number'))};
    for (let done = 0; done < ${increments}; ) {
      const before = await machine.readFile(call(1), file);
      await machine.writeFile(call(1), file, (Number(before) + 1) + '\\n', { guard: 'writer-${writer}', ifStill: before }).then(
        () => { done += 1; },
        (error) => { if (error.code !== 'ABORTED') throw error; },
      );
    }
    await machine.close?.();`;
  const writers = [1, 2, 3].map((writer) => spawnHolder(t, fixture, body(writer)));
  t.deepEqual(await Promise.all(writers.map(({ ended }) => ended)), [0, 0, 0]);
  t.is(await readFile(fixture.path('number'), 'utf8'), `${3 * increments}\n`);
});

onSsh('writeFile ifStill › a writer of that machine and others over ssh, with one state directory, lose no increment', async (t) => {
  const fixture = await sshFixture(t);
  const { stateDirectory } = fixture;
  const log = fixture.call().log;
  const local = (): Machine => createLocalMachine({ name: 'local', stateDirectory, log });
  const there = fixture.another();
  await racedBy(t, fixture, [local(), fixture.machine, local(), fixture.machine, local(), there, local(), there]);
});

onEachMachine('writeFile › waits for another write of the file, and writes nothing where its call ends first', async (t, makeFixture) => {
  const { machine, call, path, stateDirectory } = await makeFixture(t);
  const file = path('file');
  await machine.writeFile(call(), file, 'one', { guard });
  const lock = join(stateDirectory, 'files', writeLockName(file));
  const held = tryLockFile(lock);
  t.not(held, undefined);
  t.is(writeLockName(`${path('.')}//file`), writeLockName(file), 'another spelling of the path has the same lock');
  const controller = new AbortController();
  const waiting = machine.writeFile(call({ signal: controller.signal }), file, 'two', { guard });
  const noTemporary = async (): Promise<true | undefined> =>
    (await readdir(path('.'))).some((name) => name.endsWith('.tmp')) ? undefined : true;
  await eventually(noTemporary);
  controller.abort();
  const error = await t.throwsAsync<VbsError>(waiting);
  t.true(['ABORTED', 'DEADLINE_EXCEEDED'].includes(error?.code ?? ''), error?.code);
  t.is(await readFile(file, 'utf8'), 'one');
});

onEachMachine('writeFile › is not kept from a file by a writer that was killed', async (t, makeFixture) => {
  const { machine, call, path, stateDirectory } = await makeFixture(t);
  const lock = join(stateDirectory, 'files', writeLockName(path('file')));
  const body = `
    const { tryLockFile } = await import('@vbs/core/internal/machine/lock-file.js');
    const { writeFileSync } = await import('node:fs');
    tryLockFile(${JSON.stringify(lock)});
    writeFileSync(${JSON.stringify(path('pid'))}, process.pid + '\\n');
    setInterval(() => undefined, 1_000);`;
  const holder = spawnHolder(t, stateDirectory, body);
  await pidIn(path('pid'));
  t.is(tryLockFile(lock), undefined);
  await holder.kill();
  await machine.writeFile(call(), path('file'), 'one', { guard, ifStill: null });
  t.is(await readFile(path('file'), 'utf8'), 'one');
});

onEachMachine('writeFile › its locks are few, for their owner alone, and taken anew where one was removed', async (t, makeFixture) => {
  const { machine, call, path, stateDirectory } = await makeFixture(t);
  const folder = join(stateDirectory, 'files');
  for (let number = 0; number < 3; number++) await machine.writeFile(call(), path('file'), String(number), { guard });
  t.deepEqual(await readdir(folder), [writeLockName(path('file'))]);
  t.is((await stat(folder)).mode & 0o777, 0o700);
  t.is((await stat(join(folder, writeLockName(path('file'))))).mode & 0o777, 0o600);
  await rm(folder, { recursive: true });
  await machine.writeFile(call(), path('file'), 'again', { guard });
  t.is(await readFile(path('file'), 'utf8'), 'again');
});
