import { schemas } from '@vbs/schemas';
import test, { type ExecutionContext } from 'ava';
import { faultsOf } from './schemas.js';
import { embedded, type Store, served } from './vbs.js';

const modes = { embedded, served } as const;
type Mode = keyof typeof modes;

/** One test for each way to the store. */
function inBothModes(title: string, body: (t: ExecutionContext, store: Store, mode: Mode) => Promise<void>): void {
  for (const mode of ['embedded', 'served'] as const)
    test.serial(`vbs, ${mode} › ${title}`, async (t) => {
      t.timeout(180_000);
      await body(t, await modes[mode](t), mode);
    });
}

type Json = Record<string, unknown>;
const items = (page: Json): Json[] => page.items as Json[];

inBothModes('create, describe, extend and delete a volume, each exactly as its schema', async (t, store) => {
  const volume = await store.json('create-volume', '1.5MiB', 'a comment');
  t.deepEqual(faultsOf(schemas.volume, volume), []);
  t.like(volume, { state: 'available', sizeBytes: 1_572_864, comment: 'a comment' });
  const id = String(volume.id);

  const page = await store.json('describe-volumes', id);
  t.is(page.nextCursor, null);
  t.deepEqual(items(page), [volume]);
  t.is(await store.run('describe-volumes', '--quiet'), `${id}\n`);
  t.regex(await store.run('describe-volumes'), new RegExp(`^ID +STATE +SIZE.*\n${id} +available +1.5 MiB`));

  const extended = await store.json('extend-volume', id, '4MiB');
  t.deepEqual(faultsOf(schemas.volume, extended), []);
  t.is(extended.sizeBytes, 4 * 1024 * 1024);

  t.is(await store.run('delete-volume', id), `${id} is deleted\n`);
  t.deepEqual(items(await store.json('describe-volumes')), []);
});

inBothModes('a snapshot, and a volume made from it that is available when the command ends', async (t, store) => {
  const volumeId = (await store.run('create-volume', '2MiB', '--quiet')).trim();
  const snapshot = await store.json('create-snapshot', volumeId, 'before');
  t.deepEqual(faultsOf(schemas.snapshot, snapshot), []);
  t.like(snapshot, { state: 'completed', volumeId, comment: 'before' });
  const snapshotId = String(snapshot.id);
  t.deepEqual(items(await store.json('describe-snapshots', '--state', 'completed')), [snapshot]);

  const copy = await store.json('create-volume', '4MiB', '', snapshotId, '--backend', 'local/files');
  t.deepEqual(faultsOf(schemas.volume, copy), []);
  t.like(copy, { state: 'available', snapshotId, comment: null });
  t.is(await store.run('delete-snapshot', snapshotId, '--quiet'), `${snapshotId}\n`);
});

inBothModes('pools, routes and the journal of an operation as their schemas', async (t, store) => {
  const volumeId = (await store.run('create-volume', '1MiB', '--quiet')).trim();
  const [pool] = items(await store.json('pools'));
  t.deepEqual(faultsOf(schemas.pool, pool), []);
  t.like(pool, { backend: 'local/files', isDefault: true, fault: null });
  const [route] = items(await store.json('routes'));
  t.deepEqual(faultsOf(schemas.route, route), []);
  t.like(route, { backend: 'local/files', vmmHost: 'sandbox', exporter: 'local/nbd' });

  const [operation = {}] = items(await store.json('operations', 'list', '--resource', volumeId));
  t.deepEqual(faultsOf(schemas.operation, operation), []);
  const { journal, ...shown } = await store.json('operations', 'show', String(operation.id));
  t.deepEqual(shown, operation);
  const entries = journal as Json[];
  t.true(entries.length >= 2);
  for (const entry of entries) t.deepEqual(faultsOf(schemas.journalEntry, entry), []);
  t.regex(await store.run('operations', 'show', String(operation.id)), /create-volume of vol-\w+ is succeeded/);
});

inBothModes('--no-wait answers the operation, which goes on by itself', async (t, store) => {
  const operation = await store.json('create-volume', '1MiB', '--no-wait');
  t.deepEqual(faultsOf(schemas.operation, operation), []);
  t.is(operation.kind, 'create-volume');
  const volumeId = String(operation.resourceId);
  // The next command opens or asks the store, which has gone on meanwhile.
  const states = new Set<unknown>();
  for (let tries = 0; tries < 20 && !states.has('available'); tries++)
    states.add(items(await store.json('describe-volumes', volumeId))[0]?.state);
  t.true(states.has('available'), [...states].join());
});

inBothModes('the same client token answers what the first call made, and refuses another request', async (t, store) => {
  const first = await store.json('create-volume', '1MiB', '--client-token', 'order-1');
  const again = await store.json('create-volume', '1MiB', '--client-token', 'order-1');
  t.is(again.id, first.id);
  const { code, err } = await store.try('create-volume', '2MiB', '--client-token', 'order-1');
  t.is(code, 1);
  t.regex(err, /^vbs: ALREADY_EXISTS: /);
});

inBothModes('pages: --limit says that there are more, --cursor goes on, --all reads every one', async (t, store) => {
  const ids: string[] = [];
  for (let n = 0; n < 3; n++) ids.push((await store.run('create-volume', '1MiB', `n${n}`, '--quiet')).trim());
  const { out, err } = await store.try('describe-volumes', '--limit', '2');
  t.is(out.trimEnd().split('\n').length, 3);
  const [, cursor = ''] = /there are more: --all, or --cursor (\S+)/.exec(err) ?? [];
  t.is(await store.run('describe-volumes', '--cursor', cursor, '--quiet'), `${ids[2]}\n`);
  t.is(await store.run('describe-volumes', '--all', '--quiet'), `${ids.join('\n')}\n`);
});

inBothModes('reconcile finds nothing that differs, as its schema', async (t, store) => {
  await store.run('create-volume', '1MiB');
  const report = await store.json('reconcile');
  t.deepEqual(faultsOf(schemas.reconcileReport, report), []);
  t.deepEqual(report, { differences: [], unseen: [] });
  t.is(await store.run('reconcile', '--repair'), 'Nothing differs.\n');
});

inBothModes('events from the first on, one JSON line each, as their schema', async (t, store) => {
  await store.run('create-volume', '1MiB');
  const lines = (await store.run('events', '--after', '0', '--limit', '3', '--output', 'json')).trimEnd().split('\n');
  const events = lines.map((line) => JSON.parse(line) as Json);
  t.deepEqual(
    events.map(({ sequence, type }) => `${sequence} ${type}`),
    ['1 volume.pending', '2 operation.started', '3 volume.available'],
  );
  for (const event of events) t.deepEqual(faultsOf(schemas.event, event), []);
});

inBothModes('a refusal is exit status 1 with its code, or its problem document', async (t, store) => {
  const missing = 'vol-00000000000000000';
  const table = await store.try('delete-volume', missing);
  t.is(table.code, 1);
  t.is(table.out, '');
  t.regex(table.err, /^vbs: NOT_FOUND: there is no volume vol-0{17}\n/);
  const json = await store.try('delete-volume', missing, '--output', 'json');
  t.is(json.code, 1);
  const problem = JSON.parse(json.err) as Json;
  t.deepEqual(faultsOf(schemas.problem, problem), []);
  t.like(problem, { code: 'NOT_FOUND', status: 404, resource: missing });
});

inBothModes('operations retry, abandon and cancel answer how the operation stands, or why not', async (t, store) => {
  await store.run('create-volume', '1MiB');
  const id = (await store.run('operations', 'list', '--quiet')).trim();
  t.is((await store.json('operations', 'retry', id)).state, 'succeeded');
  for (const act of ['retry', 'abandon', 'cancel']) {
    const { code, err } = await store.try('operations', act, 'op-00000000000000000');
    t.is(code, 1, act);
    t.regex(err, /^vbs: NOT_FOUND: there is no operation/, act);
  }
});

inBothModes('reset-state of a volume that is well is refused', async (t, store) => {
  const id = (await store.run('create-volume', '1MiB', '--quiet')).trim();
  const { code, err } = await store.try('reset-state', id);
  t.is(code, 1);
  t.regex(err, /^vbs: FAILED_PRECONDITION: /);
});

test.serial('vbs, served › attach, describe, refuse a second one, and detach, each as its schema', async (t) => {
  t.timeout(180_000);
  const store = await served(t);
  const volumeId = (await store.run('create-volume', '1MiB', '--quiet')).trim();
  const attached = await store.json('attach-volume', volumeId, 'sandbox', 'vm1', '/dev/xvdb');
  t.deepEqual(faultsOf(schemas.attachment, attached), []);
  t.like(attached, { state: 'attached', volumeId, vmmHost: 'sandbox', vmId: 'vm1', slot: 'xvdb', access: 'read-write' });
  t.regex(await store.run('describe-volumes'), /in-use +1 MiB +local\/files +sandbox\/vm1 \/dev\/xvdb/);
  t.deepEqual(items(await store.json('describe-attachments', '--volume', volumeId)), [attached]);

  const second = await store.try('attach-volume', volumeId, 'sandbox', 'vm2', '/dev/xvdb');
  t.is(second.code, 1);
  t.regex(second.err, /^vbs: FAILED_PRECONDITION: .*is attached already/);
  t.is((await store.try('delete-volume', volumeId)).code, 1);

  const detached = await store.json('detach-volume', volumeId, '--attachment', String(attached.id));
  t.deepEqual(faultsOf(schemas.attachment, detached), []);
  t.is(detached.state, 'detached');
  const again = await store.json('attach-volume', volumeId, 'sandbox', 'vm2', 'xvdc', '--read-only');
  t.is(again.access, 'read-only');
  t.is((await store.json('detach-volume', volumeId, '--force')).state, 'detached');
});

test.serial(
  'safety F1 › an attach that would end with the command is refused, says how to start a server, and changes nothing',
  async (t) => {
    const store = await embedded(t);
    const volumeId = (await store.run('create-volume', '1MiB', '--quiet')).trim();
    // Host names know no case.
    for (const host of ['sandbox', 'SANDBOX']) {
      const { code, err } = await store.try('attach-volume', volumeId, host, 'vm1', '/dev/xvdb');
      t.is(code, 1);
      t.regex(err, /^vbs: FAILED_PRECONDITION: what local\/nbd and sandbox\/hypervisor make lives in the process/);
      t.regex(err, /`vbs serve`/);
    }
    t.like(items(await store.json('describe-volumes'))[0], { state: 'available', attachments: [] });
    t.deepEqual(items(await store.json('describe-attachments')), []);
  },
);
