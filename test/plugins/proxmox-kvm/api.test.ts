import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { inspect } from 'node:util';
import { type Logger, Secret, VbsError } from '@vbs/core';
import { TicketCredentials } from '@vbs/plugin-proxmox-kvm/internal/api/credentials.js';
import type { Transport } from '@vbs/plugin-proxmox-kvm/internal/api/transport.js';
import test, { type ExecutionContext } from 'ava';
import { ProxmoxApi } from '../../stand-ins/proxmox/rest-api.js';
import { call, makeCertificate, makeFixture, password, request, testBy, tokenSecret, whySkipped } from './proxmox-fixture.js';

const way = 'the REST API';
const apiTest = testBy(way);

async function fixtureOf(t: ExecutionContext) {
  const fixture = await makeFixture(t, { way });
  const { server } = fixture;
  if (server === undefined) throw new TypeError('it has no server');
  return { ...fixture, server };
}

async function refusal(t: ExecutionContext, act: Promise<unknown>): Promise<VbsError> {
  return (await t.throwsAsync(act, { instanceOf: VbsError })) as VbsError;
}

const asToken = { ticket: undefined, token: { id: 'vbs@pve!storage', secret: new Secret(tokenSecret) } } as const;

apiTest(`a request › each operation sends what the README lists, with one login for all (stand-in server)${whySkipped(way)}`, async (t) => {
  const { node, hypervisor, server } = await fixtureOf(t);
  const sent = async (act: () => Promise<unknown>): Promise<readonly string[]> => {
    const from = server.requests.length;
    await act();
    return server.requests.slice(from).map((line) => line.replace(/UPID[^/]*/, 'UPID').replace('/nodes/pve1', ''));
  };
  const look = ['GET /tasks?source=active&vmid=100', 'GET /qemu/100/config?current=1', 'GET /qemu/100/pending'];
  const change = ['POST /qemu/100/config', 'GET /tasks/UPID/status'];
  const identify = await sent(() => hypervisor.identifyVm(call(), { vmId: '100' }));
  t.deepEqual(identify, ['POST /access/ticket', ...look, 'GET /qemu/100/status/current']);
  const wanted = await request(hypervisor, node);
  const attach = await sent(() => hypervisor.attachDevice(call(), wanted));
  t.deepEqual([...new Set(attach)], [...look, ...change]);
  const list = await sent(() => hypervisor.listDevices(call()));
  const pending = ['100', '101', '102'].map((vmid) => `GET /qemu/${vmid}/pending`);
  t.deepEqual(list.toSorted(), ['GET /tasks?source=active', 'GET /qemu', ...pending].toSorted());
  t.is(server.sessions.logins, 1);
});

apiTest(
  `a token › cannot attach: the error and check() say so, with the two ways out; it lists and detaches (stand-in server)${whySkipped(way)}`,
  async (t) => {
    const { node, hypervisor, open } = await fixtureOf(t);
    const wanted = await request(hypervisor, node);
    for (const id of ['vbs@pve!storage', 'root@pam!vbs']) {
      const opened = await open({ config: { api: { ...asToken, token: { ...asToken.token, id } } } });
      const before = node.world.state();
      const error = await refusal(t, opened.contract.attachDevice(call(), wanted));
      t.like(error, { code: 'PERMISSION_DENIED', context: { reason: 'only-root' } });
      t.regex(error.message, /api\.ticket for root@pam/);
      t.regex(error.message, /use qm on the node/);
      t.deepEqual(node.world.state(), before);
      const [fault] = await opened.check(call());
      t.regex(fault ?? '', /cannot attach any.*api\.ticket for root@pam.*use qm on the node/);
      await hypervisor.attachDevice(call(), wanted);
      t.true((await opened.contract.listDevices(call())).some(({ vm, slot }) => vm === wanted.vm && slot === 'scsi1'));
      t.deepEqual(await opened.contract.detachDevice(call(), wanted), { result: 'detached' });
    }
  },
);

apiTest(`a ticket › of another user than root@pam cannot attach either (stand-in server)${whySkipped(way)}`, async (t) => {
  const { node, hypervisor, open } = await fixtureOf(t);
  const opened = await open({ config: { api: { ticket: { user: 'vbs@pve', password: new Secret(password) } } } });
  const wanted = await request(hypervisor, node);
  t.like(await refusal(t, opened.contract.attachDevice(call(), wanted)), { code: 'PERMISSION_DENIED', context: { reason: 'only-root' } });
  t.is((await opened.check(call())).length, 1);
});

apiTest(
  `a ticket › is renewed when the server does not know it any more, also before a change (stand-in server)${whySkipped(way)}`,
  async (t) => {
    const { node, hypervisor, server } = await fixtureOf(t);
    const wanted = await request(hypervisor, node);
    server.sessions.expire();
    await hypervisor.attachDevice(call(), wanted);
    t.is(server.sessions.logins, 2);
    const plan = server.faults;
    const next = plan.next.bind(plan);
    let expired = false;
    plan.next = (line) => {
      if (line.startsWith('POST /nodes') && !expired) {
        expired = true;
        server.sessions.expire();
      }
      return next(line);
    };
    t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
    t.is(server.sessions.logins, 3);
  },
);

test('a ticket › is renewed before its two hours end, and shared by all who wait for it', async (t) => {
  let now = 0;
  let logins = 0;
  const send: Transport['send'] = async () => {
    logins += 1;
    return { status: 200, reason: 'OK', body: JSON.stringify({ data: { ticket: `PVE:${logins}`, CSRFPreventionToken: 'c' } }) };
  };
  const credentials = new TicketCredentials({ send } as unknown as Transport, 'root@pam', new Secret('x'), () => now);
  await Promise.all([1, 2, 3].map(() => credentials.headers(call(), 'GET')));
  t.is(logins, 1);
  now = 80 * 60_000;
  t.deepEqual(await credentials.headers(call(), 'POST'), { cookie: 'PVEAuthCookie=PVE%3A1', CSRFPreventionToken: 'c' });
  now = 119 * 60_000;
  t.deepEqual(await credentials.headers(call(), 'GET'), { cookie: 'PVEAuthCookie=PVE%3A2' });
  t.is(logins, 2);
});

apiTest(`a login › that is refused, or wants a second factor, says so (stand-in server)${whySkipped(way)}`, async (t) => {
  const { open, server } = await fixtureOf(t);
  const { contract } = await open({ config: { api: { ticket: { password: new Secret('wrong-password-here') } } } });
  const error = await refusal(t, contract.listDevices(call()));
  t.is(error.code, 'UNAUTHENTICATED');
  t.false(inspect(error, { depth: 9 }).includes('wrong-password-here'));
  server.sessions.login = () => ({ ticket: 'PVE:!tfa!', CSRFPreventionToken: 'n', NeedTFA: 1 });
  const second = await open({ config: { api: { ticket: { password: new Secret(password) } } } });
  t.like(await refusal(t, second.contract.listDevices(call())), { code: 'FAILED_PRECONDITION', context: { reason: 'second-factor' } });
  const bad = await open({ config: { api: { ...asToken, token: { id: 'vbs@pve!storage', secret: new Secret('not-it') } } } });
  t.is((await refusal(t, bad.contract.listDevices(call()))).code, 'UNAUTHENTICATED');
});

apiTest(
  `TLS › nobody but the authority or the fingerprint that is configured is trusted (stand-in server)${whySkipped(way)}`,
  async (t) => {
    const { node, open, server } = await fixtureOf(t);
    const { certificate, file } = makeCertificate(node.directory, 'other');
    const seen = server.requests.length;
    const fingerprintOf = (pem: Buffer): string => new X509Certificate(pem).fingerprint256;
    for (const api of [{ ca: undefined }, { ca: file }, { ca: undefined, fingerprint: fingerprintOf(certificate) }]) {
      const { contract, check } = await open({ config: { api } });
      const error = await refusal(t, contract.listDevices(call()));
      t.like(error, { code: 'FAILED_PRECONDITION', context: { reason: 'certificate' } }, JSON.stringify(api));
      t.regex((await check(call()))[0] ?? '', /api\.ca .* or api\.fingerprint/);
    }
    t.is(server.requests.length, seen);
    const right = fingerprintOf(readFileSync(`${node.directory}/ca.pem`));
    for (const fingerprint of [right, right.toLowerCase()]) {
      const { contract } = await open({ config: { api: { ca: undefined, fingerprint } } });
      t.true((await contract.listDevices(call())).length > 0);
    }
    t.is(right.length, createHash('sha256').digest().length * 3 - 1);
  },
);

apiTest(
  `TLS › the name of the server is compared, and a file without certificate is refused when it is opened (stand-in server)${whySkipped(way)}`,
  async (t) => {
    const { node, open } = await fixtureOf(t);
    const { file, ...pair } = makeCertificate(node.directory, 'elsewhere', 'DNS:pve2.example.org');
    const other = await ProxmoxApi.start(node.world, { ...pair, passwords: {}, tokens: {} });
    t.teardown(() => other.close());
    const { contract } = await open({ config: { api: { url: other.url, ca: file } } });
    const error = await refusal(t, contract.listDevices(call()));
    t.like(error, { code: 'FAILED_PRECONDITION', context: { tls: 'ERR_TLS_CERT_ALTNAME_INVALID' } });
    t.deepEqual(other.requests, []);
    writeFileSync(`${node.directory}/ca.key`, 'no certificate');
    for (const ca of ['missing.pem', 'ca.key']) {
      t.is((await refusal(t, open({ config: { api: { ca } } }))).code, 'CONFIG_INVALID');
    }
  },
);

apiTest(
  `a configuration › takes one of ticket and token, https alone, and no switch that turns verification off${whySkipped(way)}`,
  async (t) => {
    const { open } = await fixtureOf(t);
    const both = { token: asToken.token };
    const none = { ticket: undefined };
    for (const api of [
      both,
      none,
      { url: 'http://127.0.0.1:8006' },
      { verify: false },
      { fingerprint: 'AA:BB' },
      { ticket: { password: 'plain' } },
    ]) {
      const error = await refusal(t, open({ config: { api: api as object } }));
      t.is(error.code, 'CONFIG_INVALID', JSON.stringify(api));
      t.false(inspect(error, { depth: 9 }).includes('plain"'));
    }
  },
);

apiTest(`a server › that is broken, away or silent is UNAVAILABLE or DEADLINE_EXCEEDED (stand-in server)${whySkipped(way)}`, async (t) => {
  const { node, hypervisor, open, server } = await fixtureOf(t);
  const wanted = await request(hypervisor, node);
  for (const status of [502, 595, 596, 599]) {
    server.broken = status;
    t.is((await refusal(t, hypervisor.attachDevice(call(), wanted))).code, 'UNAVAILABLE', String(status));
  }
  server.broken = 501;
  t.is((await refusal(t, hypervisor.listDevices(call()))).code, 'INTERNAL');
  server.broken = undefined;
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  const address = silent.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const late = await open({ config: { api: { url: `https://127.0.0.1:${port}`, timeLimitSeconds: 0.2 } } });
  t.true(['DEADLINE_EXCEEDED', 'UNAVAILABLE'].includes((await refusal(t, late.contract.listDevices(call()))).code));
  const away = await open({ config: { api: { url: 'https://127.0.0.1:1' } } });
  t.is((await refusal(t, away.contract.listDevices(call()))).code, 'UNAVAILABLE');
  const elsewhere = await open({ config: { api: { node: 'pve9' } } });
  const unknown = await refusal(t, elsewhere.contract.listDevices(call()));
  t.is(unknown.code, 'FAILED_PRECONDITION');
  t.regex(unknown.message, /see api\.node/);
});

apiTest(`a task › is followed to its end, and one that another has begun is waited for (stand-in server)${whySkipped(way)}`, async (t) => {
  const { node, hypervisor, server } = await fixtureOf(t);
  server.tasks.takesMs = 80;
  const wanted = await request(hypervisor, node);
  await hypervisor.attachDevice(call(), wanted);
  t.true(node.world.vm(100).plugged.has('scsi1'));
  // A detach whose process was killed after its request: the disk is there still, and going.
  const controller = new AbortController();
  const plan = server.faults;
  const next = plan.next.bind(plan);
  plan.next = (line) => {
    if (line.includes('/status')) controller.abort();
    return next(line);
  };
  t.is((await refusal(t, hypervisor.detachDevice(call({ signal: controller.signal }), wanted))).code, 'DEADLINE_EXCEEDED');
  plan.next = next;
  for (const pauseMs of [20, 40, 60]) {
    // Also a cancel between two looks at the task is no word that nothing was done.
    const between = new AbortController();
    plan.next = (line) => {
      if (line.startsWith('POST /nodes')) setTimeout(() => between.abort(), pauseMs);
      return next(line);
    };
    const act = hypervisor.attachDevice(call({ signal: between.signal }), { ...wanted, slot: 'scsi1' });
    const error = await act.catch((thrown: unknown) => thrown as VbsError);
    if (error !== undefined) t.is(error.code, 'DEADLINE_EXCEEDED', String(pauseMs));
    plan.next = next;
    t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
  }
  const listed = await hypervisor.listDevices(call());
  t.false(listed.some(({ vm, slot }) => vm === wanted.vm && slot === 'scsi1'));
});

apiTest(
  `safety E5 › password, ticket and token are in no log, no error and no command line (stand-in server)${whySkipped(way)}`,
  async (t) => {
    const lines: string[] = [];
    const note = (fields: object, message: string): void => void lines.push(inspect(fields, { depth: 9 }), message);
    const log: Logger = { debug: note, info: note, warn: note, error: note };
    const { node, open, server } = await fixtureOf(t);
    const tickets: string[] = [];
    const login = server.sessions.login.bind(server.sessions);
    server.sessions.login = (user, given) => {
      const answer = login(user, given);
      tickets.push(...Object.values(answer).filter((value): value is string => typeof value === 'string' && value !== user));
      return answer;
    };
    const errors: unknown[] = [];
    for (const api of [{}, asToken]) {
      const { contract } = await open({ log, config: { api } });
      const wanted = await request(contract, node);
      const acts = [
        () => contract.attachDevice(call({ log }), wanted),
        () => contract.detachDevice(call({ log }), wanted),
        () => contract.listDevices(call({ log })),
      ];
      for (const broken of [undefined, 500, 401, 403]) {
        server.broken = broken;
        for (const act of acts) await act().catch((error: unknown) => errors.push(error));
      }
      server.broken = undefined;
    }
    t.true(errors.length > 6 && tickets.length > 0);
    const told = [...lines, ...errors.map((error) => `${inspect(error, { depth: 9 })} ${JSON.stringify(error)}`), ...node.faults.ran].join(
      '\n',
    );
    for (const secret of [password, encodeURIComponent(password), tokenSecret, ...tickets, ...tickets.map(encodeURIComponent)]) {
      t.false(told.includes(secret), secret);
    }
  },
);
