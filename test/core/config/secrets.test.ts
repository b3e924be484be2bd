import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { Secret } from '@vbs/core';
import { readConfiguration } from '@vbs/core/internal/config/index.js';
import test from 'ava';
import { faultsOf, temporaryDirectory } from './fixture.js';

const path = '/volumeServers/vs1/backends/a';
const withKeys = (keys: object) => ({ volumeServers: { vs1: { backends: { a: { plugin: 'p', ...keys } } } } });

function revealed(value: unknown): string | undefined {
  return value instanceof Secret ? value.reveal() : undefined;
}

test('secrets › come from environment and file, at any depth, and print nowhere', async (t) => {
  const baseDirectory = await temporaryDirectory(t);
  await writeFile(join(baseDirectory, 'key'), 'from-file\n', { mode: 0o600 });
  const configuration = await readConfiguration(withKeys({ users: [{ password: { env: 'PASSWORD' } }], key: { file: 'key' } }), {
    baseDirectory,
    environment: { PASSWORD: 'from-environment' },
  });
  const config = configuration.volumeServers.vs1?.backends.a?.config as { users: { password: unknown }[]; key: unknown };
  t.is(revealed(config.users[0]?.password), 'from-environment');
  t.is(revealed(config.key), 'from-file');
  for (const text of [inspect(configuration, { depth: null }), JSON.stringify(configuration)]) t.notRegex(text, /from-/);
});

test('secrets › the connection of PostgreSQL may be one', async (t) => {
  const database = { client: 'pg', connection: { env: 'DATABASE' } };
  const configuration = await readConfiguration({ stateDirectory: 's', database }, { environment: { DATABASE: 'postgres://u:p@h/d' } });
  t.is(configuration.database.client === 'pg' ? revealed(configuration.database.connection) : undefined, 'postgres://u:p@h/d');
});

test('secrets › an object with more than one key is none', async (t) => {
  const image = { file: '/x', format: 'raw' };
  const configuration = await readConfiguration(withKeys({ image, vms: { env: {} } }));
  t.deepEqual(configuration.volumeServers.vs1?.backends.a?.config, { image, vms: { env: {} } });
});

const refuses = test.macro({
  async exec(t, prepare: (directory: string) => Promise<unknown>, message: RegExp) {
    const baseDirectory = await temporaryDirectory(t);
    await prepare(baseDirectory);
    const faults = await faultsOf(withKeys({ key: { file: 'key' } }), { baseDirectory });
    t.is(faults[0]?.path, `${path}/key`);
    t.regex(faults[0]?.message ?? '', message);
    t.true(faults[0]?.message.includes(join(baseDirectory, 'key')));
  },
  title: (what) => `secrets › a file ${what} is a fault that names it`,
});
test('that is missing', refuses, async () => undefined, /is missing/);
test('that is empty', refuses, (directory) => writeFile(join(directory, 'key'), '\n', { mode: 0o600 }), /is empty/);
test('that is a folder', refuses, (directory) => mkdir(join(directory, 'key'), { mode: 0o700 }), /is not a file/);
test('of 1 MiB', refuses, (directory) => writeFile(join(directory, 'key'), 'x'.repeat(2 ** 20), { mode: 0o600 }), /is longer than/);
test(
  'that its group can read',
  refuses,
  async (directory) => {
    await writeFile(join(directory, 'key'), 'secret');
    await chmod(join(directory, 'key'), 0o640);
  },
  /is open to others than its owner; chmod 600/,
);

for (const [what, environment] of Object.entries({ missing: {}, empty: { NAME: '' } }))
  test(`secrets › a variable that is ${what} is a fault that names it`, async (t) => {
    const faults = await faultsOf(withKeys({ key: { env: 'NAME' } }), { environment });
    t.deepEqual(faults, [{ path: `${path}/key`, message: 'the environment variable NAME is not set' }]);
  });
