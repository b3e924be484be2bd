import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { embedded, newFolder, served, vbs } from './vbs.js';

interface Report {
  readonly ok: boolean;
  readonly findings: readonly { readonly check: string; readonly state: string; readonly detail: string; readonly todo: string | null }[];
}

const faultsOf = ({ findings }: Report) => findings.filter(({ state }) => state === 'fault');

for (const [mode, make] of [
  ['without a server', embedded],
  ['with one', served],
] as const)
  test.serial(`vbs doctor › ${mode}, a store that is well: every part is looked at, exit status 0`, async (t) => {
    const store = await make(t);
    await store.run('create-volume', '1MiB');
    const report = (await store.json('doctor')) as unknown as Report;
    t.true(report.ok);
    const checks = report.findings.map(({ check }) => check);
    for (const check of [
      'node',
      'configuration',
      'state directory',
      'local/files',
      'pool local/files',
      'route local/files to sandbox',
      'operations',
    ])
      t.true(checks.includes(check), check);
    t.deepEqual(faultsOf(report), []);
    t.regex(await store.run('doctor'), /^STATE +CHECK +WHAT WAS SEEN\nok +node/);
  });

test.serial('vbs doctor › changes nothing where no store is yet', async (t) => {
  const store = await embedded(t);
  const { code, out } = await store.try('doctor');
  t.is(code, 0);
  t.regex(out, /is not there yet/);
  const { existsSync } = await import('node:fs');
  t.false(existsSync(store.folder));
});

test.serial('vbs doctor › a directory that is open to others is a fault, with the command that closes it', async (t) => {
  const store = await embedded(t);
  await store.run('create-volume', '1MiB');
  await chmod(store.folder, 0o755);
  const { code, out } = await store.try('doctor', '--output', 'json');
  t.is(code, 1);
  const report = JSON.parse(out) as Report;
  t.false(report.ok);
  t.deepEqual(
    faultsOf(report).map(({ check, todo }) => [check, todo]),
    [['state directory', `chmod 0700 ${store.folder}`]],
  );
});

test.serial('vbs doctor › tells every fault of a configuration at once, and so do config check and config show', async (t) => {
  const folder = await newFolder(t);
  const file = join(folder, 'vbs.yaml');
  await writeFile(file, 'databse: { client: sqlite3, filename: x }\nvolumeServers: { vs1: { backends: { A: { plugin: file } } } }\n');
  const { code, out } = await vbs(t, ['doctor', '--config', file, '--output', 'json']);
  t.is(code, 1);
  const faults = faultsOf(JSON.parse(out) as Report).map(({ detail }) => detail);
  t.true(
    faults.some((one) => /^\/databse: .*database/.test(one)),
    faults.join('\n'),
  );
  t.true(faults.length >= 2, faults.join('\n'));
  for (const given of [
    ['config', 'check', file],
    ['config', 'show', '--config', file],
  ]) {
    const checked = await vbs(t, given);
    t.is(checked.code, 1);
    t.regex(checked.err, /^vbs: CONFIG_INVALID: /);
  }
});

test.serial('vbs doctor › a pool whose directory is gone is a fault of the store', async (t) => {
  const store = await embedded(t);
  await store.run('create-volume', '1MiB');
  const { rename } = await import('node:fs/promises');
  await rename(join(store.folder, 'pool'), join(store.folder, 'elsewhere'));
  const { code, out } = await store.try('doctor');
  t.is(code, 1);
  t.regex(out, /FAULT +store +(UNAVAILABLE|FAILED_PRECONDITION): /);
});

test.serial('vbs doctor › a server that is not there is a fault', async (t) => {
  const { code, out } = await vbs(t, ['doctor', '--endpoint', 'http://127.0.0.1:1']);
  t.is(code, 1);
  t.regex(out, /FAULT +server +UNAVAILABLE: the server http:\/\/127\.0\.0\.1:1 is not there/);
});

test.serial('vbs config show › completes the configuration, and shows no secret', async (t) => {
  const folder = await newFolder(t);
  await mkdir(join(folder, 'secrets'));
  const file = join(folder, 'vbs.yaml');
  await writeFile(
    file,
    'plugins: ["@vbs/plugin-file"]\nvolumeServers: { vs1: { backends: { files: { plugin: file, directory: pool, key: { env: VBS_TEST_SECRET } } } } }\n',
  );
  const { code, out, err } = await vbs(t, ['config', 'show', '--config', file], { environment: { VBS_TEST_SECRET: 'correct horse' } });
  t.is(code, 0, err);
  t.false(out.includes('correct horse'));
  const shown = JSON.parse(out) as { stateDirectory: string };
  t.is(shown.stateDirectory, folder);
});

test.serial('vbs demo › runs the figures of the paper', async (t) => {
  t.timeout(120_000);
  const { code, out } = await vbs(t, ['demo']);
  t.is(code, 0, out);
  t.regex(out, /Everything was as it should be/);
});

test.serial('vbs nbd-server › hands its arguments to the program of the plugin, and passes the exit status through', async (t) => {
  const help = await vbs(t, ['nbd-server', '--help']);
  t.is(help.code, 0, help.err);
  t.regex(help.out, /nbd-server/);
  const wrong = await vbs(t, ['nbd-server', '--no-such-option']);
  t.not(wrong.code, 0);
});
