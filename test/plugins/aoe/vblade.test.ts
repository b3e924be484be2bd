import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSshMachine, type ExportRequest, type OpenedInstance } from '@vbs/core';
import ava, { type ExecutionContext } from 'ava';
import { asNobody, nobody, testAsNobody } from '../../support/as-nobody.js';
import { startChild } from '../../support/child.js';
import { startSshd, withoutSshd } from '../../support/sshd.js';
import { bytesAt, call, MiB, makeFile, openExporter, type RequestOptions, requestOf, silent } from './exporter-stage.js';
import { inNamespace } from './in-namespace.js';
import { AoeAsker, vbladeClient } from './vblade-client.js';
import { VethSegment, whySkipped } from './veth-segment.js';

const test = whySkipped === '' ? ava : ava.skip;
const title = (text: string): string => `${text}${whySkipped}`;
const sectorBytes = 512;

interface Stage {
  readonly segment: VethSegment;
  readonly directory: string;
  readonly stateDirectory: string;
  readonly exporter: OpenedInstance<'targetExporter'>['contract'];
  open(options?: Parameters<typeof openExporter>[2]): Promise<OpenedInstance<'targetExporter'>>;
  request(options?: RequestOptions): Promise<ExportRequest<'block' | 'file'>>;
  client(connection: object, options?: Parameters<typeof vbladeClient>[2]): ReturnType<typeof vbladeClient>;
}

let stages = 0;

/** A cable of its own for each test, gone with all that runs on it at its end. */
async function makeStage(t: ExecutionContext): Promise<Stage> {
  t.timeout(120_000);
  const segment = await VethSegment.make(String(++stages));
  const directory = await mkdtemp(join(tmpdir(), 'vbs-vblade-'));
  t.teardown(async () => {
    await segment.remove();
    await rm(directory, { recursive: true, force: true });
  });
  const stateDirectory = join(directory, 'state');
  const machine = segment.machine(stateDirectory);
  const open: Stage['open'] = async (options = {}) => {
    const opened = await openExporter(directory, machine, { ...options, config: { interface: segment.interface, ...options.config } });
    t.teardown(() => opened.close());
    return opened;
  };
  const opened = await open();
  let address = opened.traits.addresses?.first ?? 0;
  return {
    segment,
    directory,
    stateDirectory,
    exporter: opened.contract,
    open,
    request: async (options = {}) => {
      const number = address++;
      const path = options.of?.volume.locator.path ?? join(directory, `volume-${number}.img`);
      if (options.of === undefined) await makeFile(path, options.sizeBytes ?? MiB);
      return requestOf(path, number, { initiators: [segment.mac], ...options });
    },
    client: async (connection, options) => {
      const client = await vbladeClient(segment, connection as { readonly shelf: number; readonly slot: number }, options);
      t.teardown(() => client.disconnect());
      return client;
    },
  };
}

async function killAll(stage: Stage): Promise<number> {
  const found = await stage.segment.machine(stage.stateDirectory).find(call(), 'vblade-');
  for (const { pid } of found) process.kill(pid, 'SIGKILL');
  return found.length;
}

test(title('a real vblade › is identified, and its bytes are those of the file'), async (t) => {
  const stage = await makeStage(t);
  const wanted = await stage.request();
  const connection = await stage.exporter.createExport(call(), wanted);
  const client = await stage.client(connection);
  t.is(client.sizeBytes, MiB);
  t.regex(client.serial, new RegExp(`^${connection.key.slice(1).replace('.', '\\.')}:`));
  const piece = Buffer.alloc(20 * sectorBytes, 'over Ethernet ');
  await client.write(5 * sectorBytes, piece);
  t.deepEqual(await bytesAt(wanted.volume.locator.path, 5 * sectorBytes, piece.length), piece);
  t.deepEqual(Buffer.from(await client.read(5 * sectorBytes, piece.length)), piece);
  await t.throwsAsync(client.read(MiB, sectorBytes), { message: /ATA status 0x41, error 0x10/ });
});

test(title('a real vblade › refuses a write to a read-only export'), async (t) => {
  const stage = await makeStage(t);
  const wanted = await stage.request({ access: 'read-only' });
  const client = await stage.client(await stage.exporter.createExport(call(), wanted));
  t.true(client.readOnly);
  await t.throwsAsync(client.write(0, Buffer.alloc(sectorBytes, 'x')), { message: /ATA status 0x41, error 0x4/ });
  t.deepEqual(await bytesAt(wanted.volume.locator.path, 0, sectorBytes), Buffer.alloc(sectorBytes));
});

test(title('a real vblade › answers the addresses of its node alone, also a broadcast'), async (t) => {
  const stage = await makeStage(t);
  const second = '52:54:00:bb:00:02';
  const stranger = '52:54:00:bb:00:03';
  const wanted = await stage.request({ initiators: [stage.segment.mac, second] });
  const connection = await stage.exporter.createExport(call(), wanted);
  for (const [mac, found] of [
    [stage.segment.mac, [connection.key]],
    [second, [connection.key]],
    [stranger, []],
  ] as const) {
    const asker = await AoeAsker.start(stage.segment, { mac });
    t.teardown(() => asker.stop());
    t.deepEqual((await asker.ask({ op: 'discover', wait: 0.5 })).found, found, mac);
  }
  await t.throwsAsync(stage.client(connection, { mac: stranger, limitMs: 500 }), { message: /does not answer/ });
});

test(title('a real vblade › takes an access list of 32 addresses, and knows the last of them'), async (t) => {
  const stage = await makeStage(t);
  const initiators = Array.from({ length: 32 }, (_, index) => `52:54:00:cc:00:${index.toString(16).padStart(2, '0')}`);
  const connection = await stage.exporter.createExport(call(), await stage.request({ initiators }));
  const [first = '', last = ''] = [initiators[0], initiators[31]];
  for (const mac of [first, last]) t.is((await stage.client(connection, { mac })).sizeBytes, MiB);
  await t.throwsAsync(stage.client(connection, { mac: '52:54:00:cc:00:20', limitMs: 500 }), { message: /does not answer/ });
});

test(title('a real vblade › 20 exports made at once have no crossed bytes, and go one by one without a neighbour noticing'), async (t) => {
  const stage = await makeStage(t);
  const wanted = await Promise.all(Array.from({ length: 20 }, () => stage.request()));
  for (const { exportId, volume } of wanted) await writeFile(volume.locator.path, exportId.padEnd(MiB, ' '));
  const connections = await Promise.all(wanted.map((one) => stage.exporter.createExport(call(), one)));
  t.is((await stage.exporter.listExports(call())).length, 20);
  const asker = await AoeAsker.start(stage.segment);
  t.teardown(() => asker.stop());
  const nameAt = async (index: number): Promise<string> => {
    const { shelf, slot } = connections[index] as unknown as { readonly shelf: number; readonly slot: number };
    const { data } = await asker.ask({ op: 'read', target: [shelf, slot], lba: 0, sectors: 1, most: 17 });
    return Buffer.from(String(data), 'base64').toString('utf8', 0, 21);
  };
  for (const [index, { exportId }] of wanted.entries()) t.is(await nameAt(index), exportId);
  for (const [index, one] of wanted.entries()) {
    await stage.exporter.deleteExport(call(), one);
    const next = wanted[index + 1];
    if (next !== undefined) t.is(await nameAt(index + 1), next.exportId);
  }
  t.deepEqual((await asker.ask({ op: 'discover', wait: 0.5 })).found, []);
});

test(title('a real vblade › goes on when the process of VBS is killed, and the next one finds its exports'), async (t) => {
  const stage = await makeStage(t);
  const wanted = await Promise.all([stage.request(), stage.request({ access: 'read-only' })]);
  const program = new URL('./vblade-child.js', import.meta.url);
  const child = startChild(
    t,
    program,
    stage.directory,
    stage.stateDirectory,
    stage.segment.targets,
    stage.segment.interface,
    JSON.stringify(wanted),
  );
  for (const { exportId } of wanted) t.is((await child.said()).made, exportId);
  const listed = await stage.exporter.listExports(call());
  const connection = listed.find(({ exportId }) => exportId === wanted[0]?.exportId)?.connection ?? {};
  const client = await stage.client(connection);
  child.process.kill('SIGKILL');
  await child.ended();
  await client.write(0, Buffer.alloc(sectorBytes, 'after the kill'));
  const again = (await stage.open()).contract;
  t.deepEqual(await again.listExports(call()), listed);
  t.deepEqual(
    listed.map(({ exportId, access, sizeBytes }) => ({ exportId, access, sizeBytes })),
    wanted.map(({ exportId, access }) => ({ exportId, access, sizeBytes: MiB })),
  );
  const before = await stage.segment.machine(stage.stateDirectory).find(call(), '');
  await again.ensureExports(call(), { exports: wanted });
  t.deepEqual(await stage.segment.machine(stage.stateDirectory).find(call(), ''), before);
  for (const one of wanted) await again.deleteExport(call(), one);
  t.deepEqual(await again.listExports(call()), []);
});

test(title('a real vblade › is made again by ensureExports after it was killed, and a client goes on where it was'), async (t) => {
  const stage = await makeStage(t);
  const wanted = await Promise.all([stage.request(), stage.request(), stage.request()]);
  const connections = [];
  for (const one of wanted) connections.push(await stage.exporter.createExport(call(), one));
  const client = await stage.client(connections[1] ?? {}, { limitMs: 30_000 });
  t.is(await killAll(stage), 3);
  t.deepEqual(await stage.exporter.listExports(call()), []);
  const write = client.write(0, Buffer.alloc(40 * sectorBytes, 'waited'));
  await stage.exporter.ensureExports(call(), { exports: wanted });
  await write;
  t.deepEqual(await bytesAt(wanted[1]?.volume.locator.path ?? '', 0, 6), Buffer.from('waited'));
  t.is((await stage.exporter.listExports(call())).length, 3);
});

test(title('extendExport › under writes without a pause loses none that was answered, and disturbs no neighbour'), async (t) => {
  const stage = await makeStage(t);
  const [wanted, other] = await Promise.all([stage.request(), stage.request()]);
  const client = await stage.client(await stage.exporter.createExport(call(), wanted), { limitMs: 30_000 });
  const neighbour = await stage.client(await stage.exporter.createExport(call(), other), { limitMs: 30_000 });
  const before = await stage.segment.machine(stage.stateDirectory).find(call(), '');
  let going = true;
  const content = Buffer.alloc(MiB);
  const writing = (async () => {
    let round = 0;
    for (; going; round++) {
      const piece = Buffer.alloc(sectorBytes * 4, `round ${round} `);
      const at = (round % 400) * sectorBytes * 4;
      await client.write(at, piece);
      content.set(piece, at);
      await neighbour.write(at, piece);
    }
    return round;
  })();
  let sizeBytes = MiB;
  for (let times = 0; times < 5; times++) {
    sizeBytes *= 2;
    await truncate(wanted.volume.locator.path, sizeBytes);
    const volume = { ...wanted.volume, sizeBytes };
    t.deepEqual(await stage.exporter.extendExport(call(), { exportId: wanted.exportId, volume }), { sizeBytes });
  }
  going = false;
  t.true((await writing) > 5);
  t.deepEqual(await bytesAt(wanted.volume.locator.path, 0, MiB), content);
  t.deepEqual(await bytesAt(other.volume.locator.path, 0, MiB), content);
  t.is(
    (await stage.client(await stage.exporter.createExport(call(), { ...wanted, volume: { ...wanted.volume, sizeBytes } }))).sizeBytes,
    sizeBytes,
  );
  const after = await stage.segment.machine(stage.stateDirectory).find(call(), '');
  const named = (exportId: string) => (one: { readonly name: string }) => one.name.includes(exportId);
  t.deepEqual(after.find(named(other.exportId)), before.find(named(other.exportId)));
  t.notDeepEqual(after.find(named(wanted.exportId)), before.find(named(wanted.exportId)));
});

test(title('createExport › says what is wrong where the interface is down or not there, and leaves nothing'), async (t) => {
  const stage = await makeStage(t);
  const wanted = await stage.request();
  const nowhere = await stage.open({ config: { interface: 'nosuch0' } });
  await t.throwsAsync(nowhere.contract.createExport(call(), wanted), { code: 'FAILED_PRECONDITION', message: /no such network interface/ });
  t.regex((await nowhere.check(call())).join(), /no network interface nosuch0/);
  await stage.segment.ip('link', 'set', stage.segment.interface, 'down');
  await t.throwsAsync(stage.exporter.createExport(call(), wanted), { code: 'FAILED_PRECONDITION', message: /is down/ });
  t.deepEqual(await stage.exporter.listExports(call()), []);
  await stage.segment.ip('link', 'set', stage.segment.interface, 'up');
  await stage.exporter.createExport(call(), wanted);
  t.is((await stage.exporter.listExports(call())).length, 1);
});

test(title('a real vblade › outlives a cable that was pulled, and answers when it is back'), async (t) => {
  const stage = await makeStage(t);
  const client = await stage.client(await stage.exporter.createExport(call(), await stage.request()), { limitMs: 30_000 });
  await stage.segment.cable('down');
  t.is((await stage.exporter.listExports(call())).length, 1);
  await stage.segment.cable('up');
  const later = await stage.client((await stage.exporter.listExports(call()))[0]?.connection ?? {}, { limitMs: 30_000 });
  t.is(later.sizeBytes, client.sizeBytes);
});

const overSsh = whySkipped === '' && withoutSshd === undefined ? ava : ava.skip;
overSsh(
  `a real vblade › over SSH is made, found, made larger, revoked and removed alike${whySkipped}${withoutSshd === undefined ? '' : ` (skipped: ${withoutSshd})`}`,
  async (t) => {
    const stage = await makeStage(t);
    const sshd = await startSshd();
    t.teardown(() => sshd.stop());
    const configuration = { host: 'vs1', configFile: sshd.configFile, stateDirectory: stage.stateDirectory };
    const open = async (name: string): Promise<OpenedInstance<'targetExporter'>['contract']> => {
      const machine = createSshMachine({ configuration, stateDirectory: join(stage.directory, name), log: silent });
      t.teardown(() => machine.close());
      const config = { interface: stage.segment.interface };
      return (await openExporter(stage.directory, inNamespace(machine, stage.segment.targets), { config })).contract;
    };
    const exporter = await open('here');
    const wanted = await stage.request();
    const client = await stage.client(await exporter.createExport(call(), wanted), { limitMs: 30_000 });
    const gone = { ...wanted, volume: { ...wanted.volume, locator: { kind: 'file', path: '/nowhere' } } } as const;
    const other = { ...gone, exportId: 'exp-fffffffffffffffff' };
    await t.throwsAsync(exporter.createExport(call(), other), { code: 'FAILED_PRECONDITION', message: /is taken on/ });
    await t.throwsAsync(exporter.createExport(call(), { ...other, address: (wanted.address ?? 0) + 9 }), { code: 'NOT_FOUND' });
    await client.write(0, Buffer.alloc(sectorBytes, 'x'));
    await truncate(wanted.volume.locator.path, 2 * MiB);
    const volume = { ...wanted.volume, sizeBytes: 2 * MiB };
    t.deepEqual(await exporter.extendExport(call(), { exportId: wanted.exportId, volume }), { sizeBytes: 2 * MiB });
    const again = await open('again');
    t.deepEqual(
      (await again.listExports(call())).map(({ exportId, sizeBytes }) => [exportId, sizeBytes]),
      [[wanted.exportId, 2 * MiB]],
    );
    await client.write(0, Buffer.alloc(sectorBytes, 'y'));
    await again.revokeAccess(call(), wanted);
    t.is((await exporter.listExports(call())).length, 1);
    await exporter.deleteExport(call(), wanted);
    t.deepEqual(await again.listExports(call()), []);
  },
);

/** A process of VBS that is not root, with one capability or none. */
async function asNobodyWith(stage: Stage, capabilities: readonly string[], wanted: readonly ExportRequest[]): Promise<ChildProcess> {
  await chmod(stage.directory, 0o777);
  for (const { volume } of wanted) await chmod(volume.locator.path, 0o666);
  const program = fileURLToPath(new URL('./vblade-child.js', import.meta.url));
  const user = ['setpriv', `--reuid=${nobody.uid}`, `--regid=${nobody.gid}`, '--clear-groups', ...capabilities];
  const given = [stage.directory, stage.stateDirectory, '', stage.segment.interface, JSON.stringify(wanted)];
  return spawn('ip', ['netns', 'exec', stage.segment.targets, ...user, process.execPath, program, ...given], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

const unprivileged = whySkipped === '' && testAsNobody === ava ? ava : ava.skip;
unprivileged(asNobody(title('createExport › VBS needs no root, but CAP_NET_RAW')), async (t) => {
  const stage = await makeStage(t);
  const wanted = await stage.request();
  const without = await asNobodyWith(stage, [], [wanted]);
  let said = '';
  without.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await once(without, 'close');
  t.regex(said, /may not open raw sockets: give it CAP_NET_RAW/);
  const child = await asNobodyWith(stage, ['--inh-caps=+net_raw', '--ambient-caps=+net_raw'], [wanted]);
  t.teardown(() => child.kill('SIGKILL'));
  if (child.stdout === null) throw new Error('no output');
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  t.is((await stage.client((await stage.exporter.listExports(call()))[0]?.connection ?? {})).sizeBytes, MiB);
  await stage.exporter.deleteExport(call(), wanted);
});

test(title('createExport › a vblade that an operator has started keeps its address and its volume'), async (t) => {
  const stage = await makeStage(t);
  const [mine, theirs] = [await stage.request(), await stage.request()];
  // Somebody else's, on the same shelf.
  const shelf = Math.floor((mine.address ?? 0) / 255);
  const stranger = await stage.open({ storeId: 'f'.repeat(32), config: { shelves: { first: shelf, last: shelf } } });
  const foreign = { ...theirs, address: mine.address ?? 0 };
  const connection = await stranger.contract.createExport(call(), foreign);
  await t.throwsAsync(stage.exporter.createExport(call(), mine), {
    code: 'FAILED_PRECONDITION',
    message: /is taken on vt-[0-9a-f]+ by process/,
  });
  await t.throwsAsync(stage.exporter.createExport(call(), theirs), { code: 'FAILED_PRECONDITION', message: /is exported as e/ });
  t.deepEqual(await stage.exporter.listExports(call()), []);
  t.is((await stage.client(connection)).sizeBytes, MiB);
});

test(title('revokeAccess › ends the one who does not let go, and nothing of his is written afterwards'), async (t) => {
  const stage = await makeStage(t);
  const wanted = await stage.request();
  const client = await stage.client(await stage.exporter.createExport(call(), wanted), { limitMs: 500 });
  await stage.exporter.revokeAccess(call(), wanted);
  await t.throwsAsync(client.write(0, Buffer.alloc(sectorBytes, 'late')), { message: /does not answer/ });
  await t.throwsAsync(stage.exporter.ensureExports(call(), { exports: [wanted] }), { code: 'FAILED_PRECONDITION' });
  t.deepEqual(await bytesAt(wanted.volume.locator.path, 0, sectorBytes), Buffer.alloc(sectorBytes));
  t.is((await stage.exporter.listExports(call())).length, 1);
});
