import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { errorTable } from '@vbs/core';
import { type JsonSchema, schemas } from '@vbs/schemas';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import test from 'ava';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const all: readonly JsonSchema[] = Object.values(schemas);

function ajv(): Ajv2020 {
  const validator = new Ajv2020({ allErrors: true, strict: true });
  addFormats.default(validator);
  for (const schema of all) validator.addSchema(schema);
  return validator;
}

function undescribed(value: unknown, at: string): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const { properties = {}, $defs = {} } = value as { properties?: object; $defs?: object };
  const named = [...Object.entries(properties), ...Object.entries($defs)] as [string, Record<string, unknown>][];
  const missing = named
    .filter(([, schema]) => schema.description === undefined && schema.$ref === undefined)
    .map(([name]) => `${at}/${name}`);
  return [...missing, ...named.flatMap(([name, schema]) => undescribed(schema, `${at}/${name}`))];
}

const volume = {
  id: 'vol-0123456789abcdef0',
  state: 'available',
  reason: null,
  sizeBytes: 4096,
  requestedBytes: 4000,
  comment: null,
  snapshotId: null,
  backend: 'vs1/fast',
  createdAt: '2026-11-22T10:00:00Z',
  attachments: [],
};

test('npm run generate › changes nothing when nothing was changed', async (t) => {
  t.timeout(60_000);
  const run = promisify(execFile);
  await t.notThrowsAsync(run(process.execPath, ['scripts/generate.mjs', '--check'], { cwd: root }));
});

test('schemas › every schema file is exported', async (t) => {
  const files = (await readdir(new URL('schemas/', `file://${root}`))).filter((file) => file.endsWith('.schema.json'));
  const ids = await Promise.all(
    files.map(async (file) => (JSON.parse(await readFile(`${root}schemas/${file}`, 'utf8')) as JsonSchema).$id),
  );
  t.deepEqual(all.map(({ $id }) => $id).sort(), ids.sort());
});

for (const schema of all) {
  test(`schemas › ${schema.title} compiles under Ajv2020 strict`, (t) => {
    t.is(typeof ajv().getSchema(schema.$id), 'function');
  });
  test(`schemas › ${schema.title} describes everything`, (t) => {
    t.is(typeof schema.description, 'string');
    t.deepEqual(undescribed(schema, ''), []);
  });
}

test('schemas › a volume with its attachments and progress is legal', (t) => {
  const validate = ajv().getSchema(schemas.volume.$id);
  const attachment = {
    id: 'att-0123456789abcdef0',
    volumeId: volume.id,
    state: 'attached',
    reason: null,
    vmmHost: 'xen1',
    vmId: 'vm1',
    device: '/dev/xvdb',
    slot: 'xvdb',
    access: 'read-write',
    instanceId: null,
    exportId: 'exp-0123456789abcdef0',
    connection: { protocol: 'nbd', uri: 'nbd://127.0.0.1:10809/x' },
    devicePath: null,
    createdAt: '2026-11-22T10:00:00Z',
  };
  t.true(validate?.({ ...volume, attachments: [attachment], progress: { doneBytes: 1, totalBytes: 2 } }), JSON.stringify(validate?.errors));
});

const refuses = test.macro({
  exec(t, change: object) {
    t.false(ajv().getSchema(schemas.volume.$id)?.({ ...volume, ...change }));
  },
  title: (what) => `schemas › a volume ${what} is not legal`,
});
test('with a state that there is not', refuses, { state: 'lost' });
test('with a size of one and a half bytes', refuses, { sizeBytes: 1.5 });
test('with the id of a snapshot', refuses, { id: 'snap-0123456789abcdef0' });
test('with a date that is none', refuses, { createdAt: 'yesterday' });
test('with an attachment of another shape', refuses, { attachments: [{}] });

test('schemas › a request with a key that there is not is not legal', (t) => {
  const validate = ajv().getSchema(schemas.createVolumeRequest.$id);
  t.true(validate?.({ size: '5GiB' }));
  t.true(validate?.({ size: 4096, snapshotId: 'snap-0123456789abcdef0' }));
  t.false(validate?.({ size: '5GiB', sise: 1 }));
  t.true(validate?.({ snapshotId: 'snap-0123456789abcdef0' }));
  t.false(validate?.({ snapshotId: 5 }));
});

test('schemas › a problem knows exactly the codes of the error table', (t) => {
  const { code } = (schemas.problem as JsonSchema & { properties: { code: { enum: string[] } } }).properties;
  t.deepEqual(code.enum, Object.keys(errorTable));
});
