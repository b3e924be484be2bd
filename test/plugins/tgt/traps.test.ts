import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { login } from './raw-initiator.js';
import { good, readPage, scsiDisk } from './scsi.js';
import { call, iqnOf, libiscsi, MiB, makeFixture, node1, node2, openTgt, storeId, TestDaemon, withTools } from './tgt-fixture.js';

const tgtd = withTools('tgtd', 'tgtadm');
const test = tgtd.test;
const libiscsiTools = withTools('tgtd', 'iscsi-inq');

test(`trap 1 › deleteExport and revokeAccess never leave a target open without its secret${tgtd.why}`, async (t) => {
  const { exporter, request, daemon } = await makeFixture(t, {});
  const wanted = await request({ chap: true });
  const { exportId } = wanted;
  await exporter.createExport(call(), wanted);
  const unauthenticated = { port: daemon.port, iqn: iqnOf(exportId), initiator: node1 };
  let tries = 0;
  let stop = false;
  const knocking = (async () => {
    const inside = [];
    while (!stop && tries < 10_000) {
      tries += 1;
      // tgtd itself asks for a secret as long as there is an account.
      await login(unauthenticated).then(
        (session) => inside.push(session),
        () => undefined,
      );
    }
    return inside.length;
  })();
  await exporter.revokeAccess(call(), { exportId });
  t.deepEqual((await daemon.adm('--op', 'show', '--mode', 'account')).match(/exp-/g), null, 'the account is gone too');
  await exporter.deleteExport(call(), { exportId });
  stop = true;
  t.is(await knocking, 0, `somebody was let in without a secret in one of ${tries} tries`);
  t.true(tries > 3);
});

test(`trap 2 › deleteExport refuses under a session, and the session works on${tgtd.why}`, async (t) => {
  const { exporter, request, daemon } = await makeFixture(t);
  const wanted = await request();
  await exporter.createExport(call(), wanted);
  const disk = await scsiDisk({ port: daemon.port, iqn: iqnOf(wanted.exportId), initiator: node1 });
  t.teardown(() => disk.disconnect());
  const error = await t.throwsAsync(exporter.deleteExport(call(), wanted), { code: 'FAILED_PRECONDITION' });
  t.like(error, { context: { sessions: [{ initiator: node1 }] } });
  await disk.write(0, Buffer.alloc(4096, 7));
  t.deepEqual(await disk.read(0, 4096), Buffer.alloc(4096, 7));
});

test(`trap 3 › only initiator names are bound, so that an address lets nobody in${tgtd.why}`, async (t) => {
  const { exporter, request, daemon } = await makeFixture(t);
  const wanted = await request();
  const { exportId, address = 0 } = wanted;
  await exporter.createExport(call(), wanted);
  const iqn = iqnOf(exportId);
  await t.throwsAsync(login({ port: daemon.port, iqn, initiator: node2 }), { message: /refused/ });
  // Somebody's own rule for the address of the node opens it to every name: a repeat closes that again.
  await daemon.adm('--op', 'bind', '--mode', 'target', '--tid', String(address), '-I', 'ALL');
  (await login({ port: daemon.port, iqn, initiator: node2 })).close();
  await exporter.ensureExports(call(), { exports: [wanted] });
  await t.throwsAsync(login({ port: daemon.port, iqn, initiator: node2 }), { message: /refused/ });
  (await login({ port: daemon.port, iqn, initiator: node1 })).close();
  await t.throwsAsync(exporter.createExport(call(), { ...(await request()), initiators: ['127.0.0.1'] }), { code: 'INVALID_ARGUMENT' });
  await t.throwsAsync(exporter.createExport(call(), { ...(await request()), initiators: ['ALL'] }), { code: 'INVALID_ARGUMENT' });
  await t.throwsAsync(exporter.createExport(call(), { ...(await request()), initiators: [] }), { code: 'INVALID_ARGUMENT' });
});

test(`trap 4 › a tgtd that runs without its portal is no answer: nothing is absent, and nothing is made${tgtd.why}`, async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const { directory, opened: elsewhere, request } = await makeFixture(t);
  await elsewhere.contract.listExports(call());
  const folder = join(directory, 'second');
  await mkdir(folder);
  const daemon = new TestDaemon(folder, port);
  t.teardown(() => daemon.kill());
  await daemon.start();
  const opened = await openTgt(folder, { ...daemon.config, chap: false }, { name: 'vs1/second' });
  t.teardown(() => opened.close());
  await t.throwsAsync(opened.contract.listExports(call()), { code: 'UNAVAILABLE', message: /does not listen on/ });
  const wanted = { ...(await request()), address: opened.traits.addresses?.first ?? 0 };
  await t.throwsAsync(opened.contract.createExport(call(), wanted), { code: 'UNAVAILABLE' });
  await t.throwsAsync(opened.contract.deleteExport(call(), wanted), { code: 'UNAVAILABLE' });
  t.is((await opened.check(call())).length, 1);
});

test(`trap 7 › a volume whose file another target serves is refused, and nothing is left${tgtd.why}`, async (t) => {
  const { exporter, request, daemon } = await makeFixture(t);
  const wanted = await request();
  await daemon.adm('--op', 'new', '--mode', 'target', '--tid', '7', '-T', 'iqn.2001-01.org.other:disk');
  await daemon.adm('--op', 'new', '--mode', 'logicalunit', '--tid', '7', '--lun', '1', '-b', wanted.volume.locator.path);
  const error = await t.throwsAsync(exporter.createExport(call(), wanted), { code: 'FAILED_PRECONDITION' });
  t.regex(error.message, /iqn\.2001-01\.org\.other:disk/);
  const left = await daemon.adm('--op', 'show', '--mode', 'target');
  t.deepEqual(left.match(/^Target .*/gm), ['Target 7: iqn.2001-01.org.other:disk']);
});

test(`trap 7 › two exports of one volume are two targets with one identity${tgtd.why}`, async (t) => {
  const { exporter, request, daemon } = await makeFixture(t);
  const first = await request();
  const second = await request({ of: first });
  for (const wanted of [first, second]) await exporter.createExport(call(), wanted);
  const serials = [];
  for (const { exportId } of [first, second]) {
    const session = await login({ port: daemon.port, iqn: iqnOf(exportId), initiator: node1 });
    serials.push((await readPage(session, 0x80)).subarray(4).toString().trim());
    session.close();
  }
  t.deepEqual(serials, [first.serial, first.serial]);
});

test(`safety D1 › other prefixes and other stores are never listed, removed or taken over${tgtd.why}`, async (t) => {
  const { exporter, request, daemon, open } = await makeFixture(t);
  const other = await open({ storeId: 'f'.repeat(32), name: 'vs1/other' });
  const wanted = await request();
  const theirs = { ...(await request()), address: other.traits.addresses?.first ?? 0 };
  await exporter.createExport(call(), wanted);
  await other.contract.createExport(call(), theirs);
  await daemon.adm('--op', 'new', '--mode', 'target', '--tid', '7', '-T', 'iqn.2009-11.edu.iu.vbs:lv1');
  t.deepEqual(
    (await exporter.listExports(call())).map(({ exportId }) => exportId),
    [wanted.exportId],
  );
  await exporter.deleteExport(call(), theirs);
  t.deepEqual(
    (await other.contract.listExports(call())).map(({ exportId }) => exportId),
    [theirs.exportId],
  );
  const clash = { ...(await request()), address: wanted.address ?? 0 };
  await t.throwsAsync(exporter.createExport(call(), clash), { code: 'FAILED_PRECONDITION', message: /is taken by/ });
  t.deepEqual(
    (await exporter.listExports(call())).map(({ exportId }) => exportId),
    [wanted.exportId],
  );
  t.true(iqnOf(wanted.exportId).includes(`:${storeId.slice(0, 8)}:`));
});

test(`safety E2 › two servers that begin with their first target id give different disks different identities${tgtd.why}`, async (t) => {
  const pages = [];
  for (const name of ['vs1/tgt', 'vs2/tgt']) {
    const { request, daemon, open } = await makeFixture(t);
    const opened = await open({ name });
    const wanted = { ...(await request()), address: opened.traits.addresses?.first ?? 0 };
    await opened.contract.createExport(call(), wanted);
    const session = await login({ port: daemon.port, iqn: iqnOf(wanted.exportId), initiator: node1 });
    const identification = await readPage(session, 0x83);
    t.true(identification.includes(wanted.serial), 'the T10 designator bears the serial number');
    const inquiry = await good(session, Buffer.from([0x12, 0, 0, 0, 96, 0]), { read: 96 });
    t.is(inquiry.subarray(8, 32).toString(), 'VBS     VBS-volume      ');
    session.close();
    pages.push(designators(identification));
  }
  const [first = [], second = []] = pages;
  t.is(first.length, 3, 'NAA, NAA, T10');
  for (const designator of first) t.false(second.includes(designator), `both have the designator ${designator}`);
});

function designators(page: Buffer): string[] {
  const found = [];
  for (let at = 4; at < page.length; ) {
    const length = page[at + 3] ?? 0;
    found.push(page.subarray(at + 4, at + 4 + length).toString('hex'));
    at += 4 + length;
  }
  return found;
}

libiscsiTools.test(
  `createExport › a read-only export is write-protected in the target, for a client that does not care${libiscsiTools.why}`,
  async (t) => {
    const { exporter, request, daemon } = await makeFixture(t);
    const wanted = await request({ access: 'read-only' });
    await exporter.createExport(call(), wanted);
    const disk = await scsiDisk({ port: daemon.port, iqn: iqnOf(wanted.exportId), initiator: node1 });
    t.teardown(() => disk.disconnect());
    t.true(disk.readOnly);
    // Data protect, write protected.
    await t.throwsAsync(disk.write(0, Buffer.alloc(512, 1)), { message: /sense 7000072?7?/ });
    t.deepEqual(await disk.read(0, 512), Buffer.alloc(512));
  },
);

libiscsiTools.test(
  `createExport › libiscsi finds exactly the targets that it may see, in their exact size${libiscsiTools.why}`,
  async (t) => {
    const { exporter, request, daemon } = await makeFixture(t);
    const mine = await request({ sizeBytes: 3 * MiB + 512 });
    const others = await request({ initiators: [node2] });
    for (const wanted of [mine, others]) await exporter.createExport(call(), wanted);
    const portal = `iscsi://127.0.0.1:${daemon.port}`;
    t.is((await libiscsi('iscsi-readcapacity16', '-i', node1, '-s', `${portal}/${iqnOf(mine.exportId)}/1`)).trim(), String(3 * MiB + 512));
    t.regex(await libiscsi('iscsi-inq', '-i', node1, `${portal}/${iqnOf(others.exportId)}/1`), /refused: .*Target not found\(515\)/s);
    const seen = await libiscsi('iscsi-ls', '-i', node1, portal);
    t.true(seen.includes(mine.exportId));
    t.false(seen.includes(others.exportId));
  },
);

test(`createExport › says which file is missing, and which may not be opened or exported${tgtd.why}`, async (t) => {
  const { exporter, request, directory } = await makeFixture(t);
  const wanted = await request();
  await rm(wanted.volume.locator.path);
  await t.throwsAsync(exporter.createExport(call(), wanted), { code: 'NOT_FOUND' });
  const at = (path: string) => ({ ...wanted, volume: { ...wanted.volume, locator: { kind: 'file' as const, path } } });
  await t.throwsAsync(exporter.createExport(call(), at(directory)), { code: 'INVALID_ARGUMENT' });
  await t.throwsAsync(exporter.createExport(call(), at('/tmp/a,b')), { code: 'INVALID_ARGUMENT' });
  t.deepEqual(await exporter.listExports(call()), []);
});
