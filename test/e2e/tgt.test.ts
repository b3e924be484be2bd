import { spawn } from 'node:child_process';
import { open as openFile, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createLocalMachine, type ExportRequest } from '@vbs/core';
import { NbdClient } from '@vbs/plugin-nbd/client';
import type { ExecutionContext } from 'ava';
import { freePort } from '../conformance/free-port.js';
import { login } from '../plugins/tgt/raw-initiator.js';
import { cdb16, good, readPage, scsiDisk } from '../plugins/tgt/scsi.js';
import {
  call,
  type Fixture,
  iqnOf,
  libiscsi,
  MiB,
  makeFixture,
  node1,
  openTgt,
  run,
  silent,
  withTools,
} from '../plugins/tgt/tgt-fixture.js';
import { notingMachine } from '../support/noting-machine.js';

const tgtd = withTools('tgtd', 'tgtadm');
const qemu = withTools('tgtd', 'tgtadm', 'qemu-io', 'qemu-nbd');
const clients = withTools('tgtd', 'tgtadm', 'qemu-io', 'iscsi-inq');

/** The options by which QEMU opens an export. */
function qemuOptions({ daemon }: Fixture, { exportId }: ExportRequest, more = ''): string {
  return `open -o driver=iscsi,transport=tcp,portal=127.0.0.1:${daemon.port},target=${iqnOf(exportId)},lun=1,initiator-name=${node1}${more}`;
}

async function qemuIo(...commands: readonly string[]): Promise<string> {
  const words = commands.flatMap((command) => ['-c', command]);
  try {
    const { stdout, stderr } = await run('qemu-io', ['-f', 'raw', ...words], { timeout: 30_000 });
    return `${stdout}${stderr}`;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    return `failed: ${stdout}${stderr}`;
  }
}

/** A QEMU that has the export open, as one under a guest has, and that a client writes through with many requests at once. */
async function qemuDisk(t: ExecutionContext, fixture: Fixture, request: ExportRequest): Promise<NbdClient> {
  const port = await freePort();
  const disk = `file.driver=iscsi,file.transport=tcp,file.portal=127.0.0.1:${fixture.daemon.port},file.target=${iqnOf(request.exportId)},file.lun=1`;
  const options = [
    '-b',
    '127.0.0.1',
    '-p',
    String(port),
    '--persistent',
    '--image-opts',
    `driver=raw,${disk},file.initiator-name=${node1}`,
  ];
  const child = spawn('qemu-nbd', options, { stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  let client: NbdClient | undefined;
  await until(async () => {
    client = await NbdClient.connect({ uri: `nbd://127.0.0.1:${port}/` }).catch(() => undefined);
    return client !== undefined;
  }, 'qemu-nbd listens');
  if (client === undefined) throw new TypeError('until ended without a client');
  const connected = client;
  t.teardown(() => connected.disconnect());
  return connected;
}

async function byteAt(path: string, offset: number): Promise<number> {
  const file = await openFile(path);
  try {
    return (await file.read(Buffer.alloc(1), 0, 1, offset)).buffer[0] ?? -1;
  } finally {
    await file.close();
  }
}

async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let attempt = 0; attempt < 1500; attempt++) {
    if (await isSo()) return;
    await pause(20);
  }
  throw new Error(`not within 30 s: ${what}`);
}

qemu.test(`a volume exported by tgt › QEMU writes to its last byte, and the bytes are in the file${qemu.why}`, async (t) => {
  const fixture = await makeFixture(t);
  const request = await fixture.request({ sizeBytes: 8 * MiB });
  await fixture.exporter.createExport(call(), request);
  const said = await qemuIo(
    qemuOptions(fixture, request),
    'write -P 0x5a 0 1M',
    'write -P 0xa5 7M 1M',
    'flush',
    'read -P 0x5a 0 1M',
    'read -P 0 1M 6M',
    'length',
  );
  t.regex(said, /8 MiB/);
  t.notRegex(said, /failed|Pattern verification/);
  t.is(await byteAt(request.volume.locator.path, 8 * MiB - 1), 0xa5);
});

clients.test(`a volume exported by tgt › nobody gets in without the CHAP secret, or with a wrong one${clients.why}`, async (t) => {
  const fixture = await makeFixture(t, {});
  const request = await fixture.request({ chap: true });
  await fixture.exporter.createExport(call(), request);
  const { exportId } = request;
  const place = `127.0.0.1:${fixture.daemon.port}/${iqnOf(exportId)}/1`;
  t.regex(await libiscsi('iscsi-inq', '-i', node1, `iscsi://${place}`), /refused: .*(Authentication failure|513)/s);
  t.regex(await libiscsi('iscsi-inq', '-i', node1, `iscsi://${exportId}%wrong@${place}`), /refused: .*Authentication failure\(513\)/s);
  const wrong = await qemuIo(qemuOptions(fixture, request, `,user=${exportId},password=nothing`), 'read 0 512');
  t.regex(wrong, /Authentication failure/);
  const right = await qemuIo(
    qemuOptions(fixture, request, `,user=${exportId},password=secret-of-${exportId}`),
    'write -P 3 0 512',
    'read -P 3 0 512',
  );
  t.regex(right, /wrote 512\/512/);
  await t.throwsAsync(fixture.exporter.createExport(call(), await fixture.request()), { code: 'INVALID_ARGUMENT', message: /chap/ });
});

tgtd.test(`a volume exported by tgt › the disk says that it has a write cache, so that guests flush${tgtd.why}`, async (t) => {
  const fixture = await makeFixture(t);
  const request = await fixture.request();
  await fixture.exporter.createExport(call(), request);
  const session = await login({ port: fixture.daemon.port, iqn: iqnOf(request.exportId), initiator: node1 });
  t.teardown(() => session.close());
  const page = (await good(session, Buffer.from([0x1a, 0x08, 0x08, 0, 192, 0]), { read: 192 })).subarray(4);
  t.is((page[0] ?? 0) & 0x3f, 0x08);
  t.is((page[2] ?? 0) & 0x04, 0x04);
});

tgtd.test(`listExports › fifty targets made at once are fifty disks, and go at once${tgtd.why}`, async (t) => {
  const fixture = await makeFixture(t);
  const requests = await Promise.all(Array.from({ length: 50 }, () => fixture.request()));
  await Promise.all(requests.map((request) => fixture.exporter.createExport(call(), request)));
  const listed = await fixture.exporter.listExports(call());
  t.is(listed.length, 50);
  for (const request of requests) {
    const session = await login({ port: fixture.daemon.port, iqn: iqnOf(request.exportId), initiator: node1 });
    t.true((await readPage(session, 0x80)).includes(request.serial));
    session.close();
  }
  await until(async () => (await fixture.exporter.listExports(call())).every(({ sessions }) => sessions?.length === 0), 'the sessions end');
  await Promise.all(requests.map((request) => fixture.exporter.deleteExport(call(), request)));
  t.is((await fixture.daemon.adm('--op', 'show', '--mode', 'target')).trim(), '');
});

qemu.test(`ensureExports › tgtd killed under a client: its I/O hangs, and goes on when the export is made again${qemu.why}`, async (t) => {
  const fixture = await makeFixture(t);
  const { exporter, daemon } = fixture;
  const [request, other] = [await fixture.request({ sizeBytes: 4 * MiB }), await fixture.request()];
  for (const one of [request, other]) await exporter.createExport(call(), one);
  const before = await exporter.listExports(call());
  const client = await qemuDisk(t, fixture, request);
  await client.write(0, Buffer.alloc(65536, 1));
  await daemon.kill();
  await t.throwsAsync(exporter.listExports(call()), { code: 'UNAVAILABLE' });
  let written = false;
  const hanging = client.write(MiB, Buffer.alloc(65536, 2)).then(() => {
    written = true;
  });
  await pause(300);
  t.false(written, 'the write waits');
  await daemon.start();
  t.deepEqual(await exporter.listExports(call()), []);
  await exporter.ensureExports(call(), { exports: [request, other] });
  const after = await exporter.listExports(call());
  t.deepEqual(
    after.map(({ connection }) => connection).sort((one, another) => (one.key < another.key ? -1 : 1)),
    before.map(({ connection }) => connection),
  );
  await hanging;
  await client.flush();
  t.is(await byteAt(request.volume.locator.path, MiB), 2);
});

tgtd.test(`ensureExports › what was revoked stays shut after tgtd has forgotten all${tgtd.why}`, async (t) => {
  const { exporter, request, daemon, open } = await makeFixture(t);
  const wanted = await request();
  await exporter.createExport(call(), wanted);
  await exporter.revokeAccess(call(), wanted);
  await daemon.kill();
  await daemon.start();
  const later = await open();
  await t.throwsAsync(later.contract.ensureExports(call(), { exports: [wanted] }), { code: 'FAILED_PRECONDITION', message: /revoked/ });
  await t.throwsAsync(login({ port: daemon.port, iqn: iqnOf(wanted.exportId), initiator: node1 }));
  await later.contract.deleteExport(call(), wanted);
});

qemu.test(`extendExport › a client's writes go on, and none is lost, while the volume grows ten times${qemu.why}`, async (t) => {
  const fixture = await makeFixture(t);
  const request = await fixture.request({ sizeBytes: 4 * MiB });
  const neighbour = await fixture.request();
  for (const one of [request, neighbour]) await fixture.exporter.createExport(call(), one);
  const beside = await scsiDisk({ port: fixture.daemon.port, iqn: iqnOf(neighbour.exportId), initiator: node1 });
  t.teardown(() => beside.disconnect());
  const client = await qemuDisk(t, fixture, request);
  const { path } = request.volume.locator;
  const rounds = 10;
  const blocks = 64;
  const blockBytes = 16 * 1024;
  for (let round = 1; round <= rounds; round++) {
    const writes = Array.from({ length: blocks }, (_, block) => client.write(block * blockBytes, Buffer.alloc(blockBytes, round)));
    const written = Promise.all(writes);
    const sizeBytes = (4 + round) * MiB;
    await truncate(path, sizeBytes);
    const answer = await fixture.exporter.extendExport(call(), { exportId: request.exportId, volume: { ...request.volume, sizeBytes } });
    t.deepEqual(answer, { sizeBytes });
    await beside.write(0, Buffer.alloc(4096, round));
    await written;
    await client.flush();
    for (let block = 0; block < blocks; block++) t.is(await byteAt(path, block * blockBytes), round, `block ${block} of round ${round}`);
  }
  const later = await scsiDisk({ port: fixture.daemon.port, iqn: iqnOf(request.exportId), initiator: node1 });
  t.teardown(() => later.disconnect());
  t.is(later.sizeBytes, (4 + rounds) * MiB);
});

tgtd.test(`extendExport › refuses another volume, and one that has not grown${tgtd.why}`, async (t) => {
  const { exporter, request } = await makeFixture(t);
  const [wanted, other] = [await request(), await request()];
  await exporter.createExport(call(), wanted);
  const { exportId, volume } = wanted;
  await t.throwsAsync(exporter.extendExport(call(), { exportId, volume: other.volume }), { code: 'FAILED_PRECONDITION' });
  await t.throwsAsync(exporter.extendExport(call(), { exportId, volume: { ...volume, sizeBytes: 2 * MiB } }), {
    code: 'FAILED_PRECONDITION',
  });
});

tgtd.test(`revokeAccess › one who stopped in the middle of a login, past the access list, can write nothing${tgtd.why}`, async (t) => {
  const { exporter, request, daemon } = await makeFixture(t, {});
  const wanted = await request({ chap: true });
  const { exportId } = wanted;
  await exporter.createExport(call(), wanted);
  const chap = { user: exportId, password: `secret-of-${exportId}` };
  const slow = await login({ port: daemon.port, iqn: iqnOf(exportId), initiator: node1, chap, stopInTheMiddle: true });
  t.teardown(() => slow.close());
  await exporter.revokeAccess(call(), { exportId });
  const outcome = await slow
    .finish()
    .then(() => slow.command(cdb16(0x8a, 0, 0, 1), { write: Buffer.alloc(512, 9) }))
    .then(
      ({ status }) => status,
      () => 'refused',
    );
  t.not(outcome, 0);
  t.is(await byteAt(wanted.volume.locator.path, 0), 0);
  await exporter.revokeAccess(call(), { exportId });
  await exporter.deleteExport(call(), { exportId });
});

/** The processes of tgtd whose socket is in this folder. */
async function tgtdsOf(folder: string): Promise<number[]> {
  const { stdout } = await run('pgrep', ['-x', 'tgtd']).catch(() => ({ stdout: '' }));
  const pids = stdout
    .trim()
    .split('\n')
    .filter((pid) => pid !== '');
  const environments = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')));
  return pids.filter((_, index) => environments[index]?.includes(`TGT_IPC_SOCKET=${folder}/`)).map(Number);
}

tgtd.test(`an own tgtd › outlives the exporter, is found again, and is started anew when it died${tgtd.why}`, async (t) => {
  const fixture = await makeFixture(t);
  const port = await freePort();
  const config = { daemon: 'own', portal: `127.0.0.1:${port}`, chap: false, ioThreads: 2 } as const;
  const folder = join(fixture.directory, 'own');
  const find = () => tgtdsOf(folder);
  t.teardown(async () => {
    for (const pid of await find()) process.kill(pid, 'SIGKILL');
  });
  const first = await openTgt(folder, config);
  const request = { ...(await fixture.request()), address: first.traits.addresses?.first ?? 0 };
  await first.contract.createExport(call(), request);
  const [pid] = await find();
  await first.close();
  const second = await openTgt(folder, config);
  t.deepEqual(await find(), [pid]);
  t.is(second.traits.reach, 'loopback');
  t.deepEqual(
    (await second.contract.listExports(call())).map(({ exportId }) => exportId),
    [request.exportId],
  );
  process.kill(pid ?? 0, 'SIGKILL');
  await until(async () => (await find()).length === 0, 'tgtd has ended');
  t.deepEqual(await second.contract.listExports(call()), []);
  await second.contract.ensureExports(call(), { exports: [request] });
  const disk = await scsiDisk({ port, iqn: iqnOf(request.exportId), initiator: node1 });
  t.is(disk.sizeBytes, MiB);
  await disk.disconnect();
  await second.close();
});

tgtd.test(`an own tgtd › that died is started once by many calls that find it gone at once${tgtd.why}`, async (t) => {
  const fixture = await makeFixture(t);
  const folder = join(fixture.directory, 'own');
  const find = () => tgtdsOf(folder);
  t.teardown(async () => {
    for (const pid of await find()) process.kill(pid, 'SIGKILL');
  });
  const config = { daemon: 'own', portal: `127.0.0.1:${await freePort()}`, chap: false } as const;
  const noting = notingMachine(createLocalMachine({ name: 'local', stateDirectory: join(folder, 'state'), log: silent }));
  const exporter = await openTgt(folder, config, { machine: () => noting.machine });
  t.teardown(() => exporter.close());
  process.kill((await find())[0] ?? 0, 'SIGKILL');
  await until(async () => (await find()).length === 0, 'tgtd has ended');
  const requests = await Promise.all(Array.from({ length: 10 }, () => fixture.request()));
  const first = exporter.traits.addresses?.first ?? 0;
  const acts = await noting.acts(async () => {
    await Promise.all(requests.map((request, index) => exporter.contract.createExport(call(), { ...request, address: first + index })));
  });
  t.is(acts.filter((act) => act === 'start').length, 1);
  t.is((await find()).length, 1);
  t.is((await exporter.contract.listExports(call())).length, 10);
});

tgtd.test(`an own tgtd › whose port is taken is refused, and does not run on without it${tgtd.why}`, async (t) => {
  const fixture = await makeFixture(t);
  const taken = { daemon: 'own', portal: `127.0.0.1:${fixture.daemon.port}` } as const;
  const folder = join(fixture.directory, 'own');
  t.teardown(async () => {
    for (const pid of await tgtdsOf(folder)) process.kill(pid, 'SIGKILL');
  });
  await t.throwsAsync(openTgt(folder, taken), { code: 'RESOURCE_EXHAUSTED', message: /could not listen/ });
  t.deepEqual(await tgtdsOf(folder), [], 'it runs on without its portal');
  await t.throwsAsync(openTgt(folder, { daemon: 'own', portal: 'vs1.example.org:3260' }), { code: 'CONFIG_INVALID' });
});
