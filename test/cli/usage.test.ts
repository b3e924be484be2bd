import { stat } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { schemas } from '@vbs/schemas';
import test from 'ava';
import { faultsOf } from './schemas.js';
import { embedded, newFolder, program, vbs } from './vbs.js';

const id = 'vol-0123456789abcdef0';

const wrong = test.macro({
  title: (_, what: string) => `wrong usage › ${what}: exit status 2, nothing on standard output, nothing made`,
  async exec(t, _: string, given: readonly string[], told: RegExp) {
    const store = await embedded(t);
    const { code, out, err } = await store.try(...given);
    t.is(code, 2, err);
    t.is(out, '');
    t.regex(err, told);
    t.notRegex(err, /\n\s+at /);
    const json = await store.try('--output', 'json', ...given);
    t.is(json.code, 2);
    const problem = JSON.parse(json.err) as Record<string, unknown>;
    t.deepEqual(faultsOf(schemas.problem, problem), []);
    t.is(problem.code, 'INVALID_ARGUMENT');
  },
});

test.serial(wrong, 'a misspelt command', ['creat-volume', '1MiB'], /unknown command 'creat-volume'; did you mean create-volume\?/);
test.serial(wrong, 'a misspelt option', ['describe-volumes', '--stat', 'error'], /unknown option '--stat'; did you mean (one of )?--state/);
test.serial(wrong, 'a misspelt global option', ['pools', '--endpiont', 'x'], /unknown option '--endpiont'; did you mean --endpoint\?/);
test.serial(wrong, 'a missing argument', ['create-volume'], /missing required argument 'size'/);
test.serial(wrong, 'too many arguments', ['delete-volume', id, id], /too many arguments/);
test.serial(wrong, 'an unknown state', ['describe-volumes', '--state', 'open'], /Allowed choices are pending, available/);
test.serial(wrong, 'a limit of 0', ['describe-volumes', '--limit', '0'], /must be a whole number from 1 to 1000/);
test.serial(wrong, 'a limit that is no number', ['describe-volumes', '--limit', '1e3'], /must be a whole number/);
test.serial(wrong, 'a limit beside --all', ['describe-volumes', '--limit', '5', '--all'], /--all reads every page/);
test.serial(wrong, 'a time that is none', ['delete-volume', id, '--timeout', 'soon'], /must be a time above 0/);
test.serial(wrong, 'an id of another kind', ['delete-volume', 'snap-0123456789abcdef0'], /volumeId must be the id of a volume/);
test.serial(wrong, 'an id with a path in it', ['delete-volume', '../snapshots'], /volumeId must be the id of a volume/);
test.serial(wrong, 'an empty id', ['delete-volume', ''], /volumeId must be the id of a volume/);
test.serial(wrong, 'an attach without its place', ['attach-volume', id, 'sandbox'], /takes three arguments/);
test.serial(
  wrong,
  'an attach with an instance and a host',
  ['attach-volume', id, 'sandbox', 'vm1', 'xvdb', '--instance', 'i-1'],
  /--instance says where/,
);
test.serial(wrong, '--node-is-dead without --force', ['detach-volume', id, '--node-is-dead'], /goes with --force/);
test.serial(wrong, '--delete without a terminal', ['reconcile', '--delete', id], /add --yes/);
test.serial(wrong, 'an endpoint that is none', ['pools', '--endpoint', 'ftp://x'], /endpoint must be http/);
test.serial(
  wrong,
  'two options that each name a store',
  ['pools', '--config', 'a', '--data-dir', 'b'],
  /--config and --data-dir each say which store/,
);
test.serial(wrong, 'an unknown output', ['pools', '--output', 'xml'], /Allowed choices are table, json/);
test.serial(wrong, 'an unknown shell', ['completion', 'tcsh'], /Allowed choices are bash, zsh, fish/);
test.serial(
  wrong,
  'a group of commands without one',
  ['operations', 'shwo', 'op-0123456789abcdef0'],
  /unknown command 'shwo'; did you mean show\?/,
);

test.serial('wrong usage › a size that is none is told by the store, with its field, as exit status 2', async (t) => {
  const store = await embedded(t);
  const { code, err } = await store.try('create-volume', '5 parsecs');
  t.is(code, 2);
  t.regex(err, /^vbs: INVALID_ARGUMENT: .*\n {2}field: size\n$/);
});

test.serial('vbs › without a command shows what there is, on standard error, as wrong usage', async (t) => {
  const { code, out, err } = await vbs(t, []);
  t.is(code, 2);
  t.is(out, '');
  t.regex(err, /VOLUMES\n {2}create-volume\n/);
});

test.serial('vbs --version › tells the version of its package, and loads nothing of the core', async (t) => {
  const { code, out } = await vbs(t, ['--version']);
  t.is(code, 0);
  t.regex(out, /^\d+\.\d+\.\d+\n$/);
  const traced = await vbs(t, ['--version'], { environment: { NODE_DEBUG: 'esm,module' } });
  t.regex(traced.err, /commander/);
  t.notRegex(traced.err, /knex|sqlite3|fastify|undici/);
});

for (const command of ['create-volume', 'attach-volume', 'serve', 'doctor', 'operations', 'reconcile', 'events', 'nbd-server']) {
  test.serial(`vbs help › the page of ${command} has every part, within 80 columns`, async (t) => {
    const { code, out } = await vbs(t, ['help', command]);
    t.is(code, 0);
    for (const part of ['NAME', 'SYNOPSIS', 'DESCRIPTION', 'GLOBAL OPTIONS', 'EXAMPLES', 'EXIT STATUS', 'SEE ALSO'])
      t.true(out.includes(`${part}\n  `), part);
    t.deepEqual(
      out.split('\n').filter((line) => line.length > 80 && line.trim().includes(' ') && !line.trim().startsWith('vbs')),
      [],
    );
  });
}

test.serial('vbs help › COMMAND and COMMAND --help are one page', async (t) => {
  t.is((await vbs(t, ['help', 'pools'])).out, (await vbs(t, ['pools', '--help'])).out);
  t.is((await vbs(t, ['operations', 'help', 'show'])).out, (await vbs(t, ['operations', 'show', '--help'])).out);
});

test.serial('docs/cli.md › is what the program says; npm run generate writes it', async (t) => {
  const { writeReference } = (await import(new URL('../dist/reference/write-reference.js', pathToFileURL(program)).href)) as {
    writeReference: (options: { check: boolean }) => Promise<readonly string[]>;
  };
  t.deepEqual(await writeReference({ check: true }), []);
});

test.serial('the data directory › is made for its owner alone, at $XDG_DATA_HOME or as told', async (t) => {
  const folder = await newFolder(t);
  const made = `${folder}/a/b`;
  t.is((await vbs(t, ['describe-volumes', '--data-dir', made])).code, 0);
  t.is((await stat(made)).mode & 0o777, 0o700);
});
