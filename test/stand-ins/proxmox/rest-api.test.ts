import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { makeCertificate, testBy, whySkipped } from '../../plugins/proxmox-kvm/proxmox-fixture.js';
import { ProxmoxApi } from './rest-api.js';
import { ProxmoxWorld } from './world.js';

const way = 'the REST API';
const apiTest = testBy(way);

interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly body: { readonly data: unknown; readonly errors?: unknown; readonly message?: string };
}

async function serverOf(t: ExecutionContext) {
  const root = await mkdtemp(join(tmpdir(), 'vbs-pve-'));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  const world = new ProxmoxWorld(root);
  world.create(100);
  world.addDevice('/dev/x', 8 * 1024 ** 2);
  const { certificate, key } = makeCertificate(root, 'pve1');
  const users = { passwords: { 'root@pam': 'secret' }, tokens: { 'root@pam!t': 'token' } };
  const server = await ProxmoxApi.start(world, { certificate, key, ...users });
  t.teardown(() => server.close());
  const ask = (
    method: string,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    form?: Readonly<Record<string, string>>,
  ): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const type = form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
      const sent = request(`${server.url}/api2/json${path}`, { method, ca: certificate, headers: { ...type, ...headers } }, (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += String(chunk);
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, reason: response.statusMessage ?? '', body: JSON.parse(text) as Answer['body'] }),
        );
      });
      sent.on('error', reject);
      sent.end(form === undefined ? undefined : new URLSearchParams(form).toString());
    });
  return { world, server, ask };
}

const config = '/nodes/pve1/qemu/100/config';
const token = { authorization: 'PVEAPIToken=root@pam!t=token' };

apiTest(`the REST API › wants a ticket, and for changes its CSRF token${whySkipped(way)}`, async (t) => {
  const { ask } = await serverOf(t);
  t.like(await ask('GET', config), { status: 401, reason: 'No ticket' });
  t.like(await ask('POST', '/access/ticket', {}, { username: 'root@pam', password: 'wrong' }), {
    status: 401,
    reason: 'authentication failure',
  });
  const { body } = await ask('POST', '/access/ticket', {}, { username: 'root@pam', password: 'secret' });
  const { ticket, CSRFPreventionToken: csrf } = body.data as Readonly<Record<string, string>>;
  const cookie = `PVEAuthCookie=${encodeURIComponent(ticket ?? '')}`;
  t.is((await ask('GET', config, { cookie })).status, 200);
  t.like(await ask('PUT', config, { cookie }, { scsi1: '/dev/x' }), { status: 401, reason: 'Permission denied - invalid csrf token' });
  t.is((await ask('PUT', config, { cookie, CSRFPreventionToken: csrf ?? '' }, { scsi1: '/dev/x' })).status, 200);
});

apiTest(`the REST API › POST begins a task, whose end tells what became of it${whySkipped(way)}`, async (t) => {
  const { world, server, ask } = await serverOf(t);
  const { body } = await ask('POST', '/access/ticket', {}, { username: 'root@pam', password: 'secret' });
  const { ticket, CSRFPreventionToken } = body.data as { ticket: string; CSRFPreventionToken: string };
  const headers = { cookie: `PVEAuthCookie=${encodeURIComponent(ticket)}`, CSRFPreventionToken };
  server.tasks.takesMs = 20;
  const begin = async (form: Readonly<Record<string, string>>): Promise<string> =>
    String((await ask('POST', config, headers, form)).body.data);
  const statusOf = async (upid: string): Promise<unknown> =>
    (await ask('GET', `/nodes/pve1/tasks/${encodeURIComponent(upid)}/status`, headers)).body.data;
  const upid = await begin({ scsi1: '/dev/x' });
  t.regex(upid, /^UPID:pve1:[0-9A-F]{8}:[0-9A-F]{8}:[0-9A-F]{8}:qmconfig:100:root@pam:$/);
  t.like(await statusOf(upid), { status: 'running' });
  t.like((await ask('GET', '/nodes/pve1/tasks?source=active&vmid=100', headers)).body.data, [{ upid, status: 'RUNNING' }]);
  await server.tasks.ended();
  t.like(await statusOf(upid), { status: 'stopped', exitstatus: 'OK' });
  world.hold(100, 'scsi1');
  const busy = await begin({ delete: 'scsi1' });
  await server.tasks.ended();
  t.like(await statusOf(busy), {
    exitstatus: "400 Parameter verification failed. scsi1: hotplug problem - error on hot-unplugging device 'scsi1' - still busy in guest?",
  });
  t.like((await ask('GET', '/nodes/pve1/qemu/100/pending', headers)).body.data, { length: 6 });
});

apiTest(`the REST API › refuses as the real one does${whySkipped(way)}`, async (t) => {
  const { ask } = await serverOf(t);
  t.like(await ask('POST', config, token, { scsi1: '/dev/x' }), { status: 500, reason: 'Only root can pass arbitrary filesystem paths.' });
  const wrong = await ask('PUT', config, token, { ide1: 'local:8,ro=1' });
  t.like(wrong, { status: 400, body: { data: null, message: 'Parameter verification failed.\n' } });
  t.true(JSON.stringify(wrong.body.errors).includes('ide1.ro: property is not defined'));
  t.like(await ask('PUT', config, token, { foo: '1' }), {
    status: 400,
    body: { errors: { foo: 'property is not defined in schema and the schema does not allow additional properties' } },
  });
  t.like(await ask('GET', '/nodes/pve1/qemu/999/config', token), {
    status: 500,
    reason: "Configuration file 'nodes/pve1/qemu-server/999.conf' does not exist",
  });
  t.is((await ask('GET', '/nodes/pve9/qemu', token)).status, 500);
  t.is((await ask('GET', config, { authorization: 'PVEAPIToken=root@pam!t=wrong' })).status, 401);
  t.is((await ask('PUT', config, { ...token, 'content-type': 'application/json' }, { scsi1: 'x' })).status, 415);
  t.is((await ask('DELETE', config, token, {})).status, 501);
});
