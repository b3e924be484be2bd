import { createHash } from 'node:crypto';
import fs, { readFileSync } from 'node:fs';
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { isVbsError } from '@vbs/core';
import { NbdClient } from '@vbs/plugin-nbd/client';
import { encodeOption } from '@vbs/plugin-nbd/internal/protocol/options.js';
import test, { type ExecutionContext } from 'ava';
import { call, exportRequest, MiB, makeFixture, sessionsOf, until } from './nbd-fixture.js';
import { RawClient } from './raw-client.js';

test.serial('revokeAccess › under writes: nothing is written after it has answered, nobody gets in, the export stays', async (t) => {
  const fixture = await makeFixture(t);
  const { volume } = await fixture.make('exp-1', 16 * MiB);
  const clients = await Promise.all([0, 1, 2].map(() => fixture.connect('exp-1')));
  let acknowledged = 0;
  const writers = [...clients, ...clients, ...clients, ...clients].map(async (client, index) => {
    for (let turn = 0; ; turn += 1) {
      await client.write(((turn * 12 + index) % 15) * MiB + 1, Buffer.alloc(MiB, turn + index + 1));
      acknowledged += 1;
    }
  });
  const ends = Promise.allSettled(writers);
  await until(() => acknowledged > 40);
  await fixture.exporter.revokeAccess(call(), { exportId: 'exp-1' });
  // In this very moment: reading by libuv's threads would queue behind what a broken fence had left there.
  const hash = (): string => createHash('sha256').update(readFileSync(volume.locator.path)).digest('hex');
  const at = hash();
  for (const end of await ends) t.is(end.status === 'rejected' && isVbsError(end.reason) && end.reason.code, 'UNAVAILABLE');
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.is(hash(), at);
  await t.throwsAsync(fixture.connect('exp-1'), { code: 'PERMISSION_DENIED' });
  const byName = await RawClient.connect(t, fixture.port);
  await byName.greet();
  byName.send(encodeOption(1, Buffer.from('exp-1')));
  t.true(await byName.isDropped(), 'NBD_OPT_EXPORT_NAME lets nobody in either');
  t.deepEqual(await NbdClient.list({ host: '127.0.0.1', port: fixture.port }), []);
  t.deepEqual((await fixture.exporter.listExports(call()))[0]?.sessions, []);
  await fixture.exporter.revokeAccess(call(), { exportId: 'exp-1' });
  await t.throwsAsync(fixture.make('exp-1', 16 * MiB), { code: 'FAILED_PRECONDITION' }, 'a repeated createExport does not open it again');
  await fixture.exporter.ensureExports(call(), { exports: [exportRequest('exp-1', volume.locator.path, 16 * MiB)] });
  await t.throwsAsync(fixture.connect('exp-1'), { code: 'PERMISSION_DENIED' }, 'ensureExports does not either');
  await fixture.exporter.deleteExport(call(), { exportId: 'exp-1' });
});

test.serial('revokeAccess › in the middle of a long write that has not come whole: the rest is never written', async (t) => {
  const { exporter, make, port } = await makeFixture(t);
  const { volume } = await make('exp-1', 16 * MiB);
  const client = await RawClient.enter(t, port, 'exp-1');
  client.request(1, 0, 8 * MiB, { data: Buffer.alloc(3.5 * MiB, 1) });
  await until(async () => (await stat(volume.locator.path)).blocks * 512 >= 3 * MiB);
  await exporter.revokeAccess(call(), { exportId: 'exp-1' });
  client.send(Buffer.alloc(4.5 * MiB, 1));
  t.true(await client.isDropped());
  t.true((await readFile(volume.locator.path)).subarray(3 * MiB).every((byte) => byte === 0));
});

type By = (real: () => Promise<unknown>) => Promise<unknown>;
type Method = (...args: unknown[]) => unknown;

/** Files of this process, as they would be on a slow or a failing medium; each test puts back what it changed. */
let handles: Record<'datasync', Method>;
test.before(async () => {
  const file = await open(new URL(import.meta.url), 'r');
  handles = Object.getPrototypeOf(file);
  await file.close();
});

function replace(t: ExecutionContext, method: 'write' | 'datasync', by: By): void {
  if (method === 'datasync')
    put(
      t,
      handles,
      method,
      (real) =>
        async function (this: FileHandle) {
          await by(async () => real.apply(this));
        },
    );
  else
    put(t, fs as unknown as Record<'write', Method>, method, (real) => (...args) => {
      const ended = args.at(-1) as (error: unknown, count?: unknown) => void;
      const write = promisify(real as typeof fs.write) as unknown as (...given: unknown[]) => Promise<{ bytesWritten: number }>;
      by(async () => (await write(...args.slice(0, -1))).bytesWritten).then((count) => ended(null, count), ended);
    });
}

function put<K extends string>(t: ExecutionContext, target: Record<K, Method>, method: K, by: (real: Method) => Method): void {
  const real = target[method];
  target[method] = by(real);
  t.teardown(() => {
    target[method] = real;
  });
}

test.serial('revokeAccess › waits for a write that the medium takes long for, and not beyond the call’s limit', async (t) => {
  const { exporter, make, connect } = await makeFixture(t);
  const { volume } = await make('exp-1', MiB);
  const client = await connect('exp-1');
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let begun = false;
  replace(t, 'write', async (real) => {
    begun = true;
    await held;
    return real();
  });
  const lost = t.throwsAsync(client.write(0, Buffer.alloc(4096, 1)), { code: 'UNAVAILABLE' });
  await until(() => begun);
  await t.throwsAsync(exporter.revokeAccess(call(AbortSignal.timeout(100)), { exportId: 'exp-1' }), { code: 'DEADLINE_EXCEEDED' });
  await lost;
  t.is(await sessionsOf(exporter, 'exp-1'), 1, 'the session is told of until its last write has ended');
  await t.throwsAsync(exporter.deleteExport(call(), { exportId: 'exp-1' }), { code: 'FAILED_PRECONDITION' });
  let revoked = false;
  const again = exporter.revokeAccess(call(), { exportId: 'exp-1' }).then(() => {
    revoked = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.false(revoked);
  release();
  await again;
  t.is((await readFile(volume.locator.path))[0], 1);
  await exporter.deleteExport(call(), { exportId: 'exp-1' });
});

test.serial('close › with a medium that hangs ends within 5 s, and says that bytes may be lost', async (t) => {
  const { exporter, make, connect } = await makeFixture(t);
  await make('exp-1', MiB);
  const client = await connect('exp-1');
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  replace(t, 'write', async (real) => {
    await held;
    return real();
  });
  const lost = t.throwsAsync(client.write(0, Buffer.alloc(4096, 1)), { code: 'UNAVAILABLE' });
  await new Promise((resolve) => setTimeout(resolve, 50));
  const started = Date.now();
  await t.throwsAsync(async () => exporter.close?.(), { code: 'UNAVAILABLE', message: /lost/ });
  t.true(Date.now() - started < 5_500);
  release();
  await lost;
});

test.serial('flush and FUA › answer after fdatasync, and not without it', async (t) => {
  const { make, connect } = await makeFixture(t);
  await make('exp-1', MiB);
  const [one, two] = [await connect('exp-1'), await connect('exp-1')];
  let syncs = 0;
  let slow = Promise.resolve();
  replace(t, 'datasync', async (real) => {
    await slow;
    await real();
    syncs += 1;
  });
  await one.write(0, Buffer.alloc(4096, 1));
  t.is(syncs, 0);
  await two.flush();
  t.is(syncs, 1, 'a flush covers the writes of another connection');
  await one.flush();
  t.is(syncs, 1, 'nothing new was written');
  await one.write(0, Buffer.alloc(4096, 2), { fua: true });
  await one.writeZeroes(0, 4096, { fua: true });
  t.is(syncs, 3);

  let release = (): void => undefined;
  slow = new Promise<void>((resolve) => {
    release = resolve;
  });
  await one.write(0, Buffer.alloc(4096, 3));
  let answered = 0;
  const flushes = [one, two, two].map((client) =>
    client.flush().then(() => {
      answered += 1;
    }),
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.is(answered, 0, 'a flush that finds nothing new waits for the one that runs');
  release();
  await Promise.all(flushes);
});

test.serial('a failed fdatasync › fails every later flush of the export, on every connection', async (t) => {
  const { exporter, make, connect, log } = await makeFixture(t);
  await make('exp-1', MiB);
  await make('exp-2', MiB);
  const [one, two, neighbour] = [await connect('exp-1'), await connect('exp-1'), await connect('exp-2')];
  let fail = true;
  replace(t, 'datasync', async (real) => {
    if (fail) throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
    return real();
  });
  await one.write(0, Buffer.alloc(4096, 1));
  await t.throwsAsync(one.flush(), { code: 'INTERNAL' });
  fail = false;
  await t.throwsAsync(two.flush(), { code: 'INTERNAL' });
  await t.throwsAsync(two.write(0, Buffer.alloc(1), { fua: true }), { code: 'INTERNAL' });
  await neighbour.write(0, Buffer.alloc(1), { fua: true });
  t.is(log.filter(({ message }) => message.includes('fdatasync failed')).length, 1);
  await Promise.all([one.disconnect(), two.disconnect()]);
  await t.throwsAsync(exporter.deleteExport(call(), { exportId: 'exp-1' }), { code: 'INTERNAL', message: /may be lost/ });
  await exporter.deleteExport(call(), { exportId: 'exp-1' });
});
