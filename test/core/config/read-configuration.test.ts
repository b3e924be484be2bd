import { dirname, join } from 'node:path';
import { definePlugin, Secret } from '@vbs/core';
import { defaultConfiguration, instancesOf, readConfiguration } from '@vbs/core/internal/config/index.js';
import test from 'ava';
import { configurationFile, faultsOf, temporaryDirectory } from './fixture.js';

const yaml = `
version: 1
database: { client: sqlite3, filename: data/vbs.sqlite }
plugins: ["@vbs/plugin-lvm-iet", "./my-plugin/index.js", "../other.js", "/opt/third.js"]
volumeServers:
  vs1:
    machine: { ssh: { host: vs1 } }
    backends:
      fast: { plugin: lvm-iet, volumeGroup: vg0, default: true, timeLimits: { createVolume: 5000 } }
      slow:
        plugin: lvm-iet
        volumeGroup: vg1
        commands:
          create: sudo -n lvcreate <name>
          remove: { pattern: lvremove <name>, withdraws: [snapshot] }
    exporters: { iet: { plugin: lvm-iet, portal: "10.0.0.5:3260", openNetwork: true } }
vmmNodes:
  xen1: { hostnames: [xen1.example.org], initiators: { iscsi: { plugin: iscsi } }, hypervisor: { plugin: xen } }
resolvers: { nimbus: { plugin: nimbus } }
`;

const server = (backends: object, exporters: object = {}) => ({ volumeServers: { vs1: { backends, exporters } } });

test('readConfiguration › reads YAML, completes it and takes the keys of the core from those of the plugin', async (t) => {
  const path = await configurationFile(t, yaml);
  const folder = dirname(path);
  const configuration = await readConfiguration(path);
  t.deepEqual(configuration.database, { client: 'sqlite3', filename: join(folder, 'data/vbs.sqlite') });
  t.is(configuration.baseDirectory, folder);
  t.is(configuration.stateDirectory, join(folder, 'data'));
  t.deepEqual(configuration.plugins, [
    '@vbs/plugin-lvm-iet',
    join(folder, 'my-plugin/index.js'),
    join(dirname(folder), 'other.js'),
    '/opt/third.js',
  ]);
  const vs1 = configuration.volumeServers.vs1;
  t.deepEqual(vs1?.machine, { ssh: { host: 'vs1' } });
  t.deepEqual(vs1?.backends.fast, {
    name: 'vs1/fast',
    path: '/volumeServers/vs1/backends/fast',
    plugin: 'lvm-iet',
    default: true,
    openNetwork: false,
    commands: {},
    timeLimits: { createVolume: 5000 },
    config: { volumeGroup: 'vg0' },
  });
  t.deepEqual(vs1?.backends.slow?.commands, {
    create: { pattern: 'sudo -n lvcreate <name>', withdraws: [] },
    remove: { pattern: 'lvremove <name>', withdraws: ['snapshot'] },
  });
  t.true(vs1?.exporters.iet?.openNetwork);
  t.deepEqual(
    instancesOf(configuration).map(({ name, path }) => [name, path]),
    [
      ['vs1/fast', '/volumeServers/vs1/backends/fast'],
      ['vs1/slow', '/volumeServers/vs1/backends/slow'],
      ['vs1/iet', '/volumeServers/vs1/exporters/iet'],
      ['xen1/iscsi', '/vmmNodes/xen1/initiators/iscsi'],
      ['xen1/hypervisor', '/vmmNodes/xen1/hypervisor'],
      ['nimbus', '/resolvers/nimbus'],
    ],
  );
});

test('readConfiguration › reads JSON, indented with tabs', async (t) => {
  const text = JSON.stringify(server({ fast: { plugin: 'file', directory: '/x' } }), undefined, '\t');
  const configuration = await readConfiguration(await configurationFile(t, text, 'vbs.json'));
  t.deepEqual(configuration.volumeServers.vs1?.backends.fast?.config, { directory: '/x' });
});

test('readConfiguration › completes what is not said', async (t) => {
  const baseDirectory = await temporaryDirectory(t);
  t.deepEqual(await readConfiguration({}, { baseDirectory }), {
    baseDirectory,
    stateDirectory: baseDirectory,
    database: { client: 'sqlite3', filename: join(baseDirectory, 'vbs.sqlite') },
    masterKey: null,
    plugins: [],
    volumeServers: {},
    vmmNodes: {},
    resolvers: {},
  });
});

test('readConfiguration › the master key is a secret by reference, or a Secret, of 32 characters at least', async (t) => {
  const environment = { KEY: 'k'.repeat(32), SHORT: 'k'.repeat(31) };
  t.is((await readConfiguration({ masterKey: { env: 'KEY' } }, { environment })).masterKey?.reveal(), environment.KEY);
  t.is((await readConfiguration({ masterKey: new Secret(environment.KEY) })).masterKey?.reveal(), environment.KEY);
  for (const [masterKey, why] of [
    [{ env: 'SHORT' }, /at least 32 characters/],
    [new Secret('short'), /at least 32 characters/],
    [{ env: 'MISSING' }, /MISSING is not set/],
    ['k'.repeat(32), /masterKey/],
  ] as const) {
    const error = await t.throwsAsync(readConfiguration({ masterKey }, { environment }), { code: 'CONFIG_INVALID' });
    t.regex(error?.message ?? '', why);
  }
});

test('readConfiguration › takes plugins and values that are no plain data as they are', async (t) => {
  const plugin = definePlugin({ name: 'x', apiVersion: 1, provides: {} });
  const secret = new Secret('s');
  const hook = () => 1;
  const configuration = await readConfiguration({ plugins: [plugin], ...server({ a: { plugin: 'x', secret, hook } }) });
  t.is(configuration.plugins[0], plugin);
  t.is(configuration.volumeServers.vs1?.backends.a?.config.secret, secret);
  t.is(configuration.volumeServers.vs1?.backends.a?.config.hook, hook);
});

test('readConfiguration › the embedded default is a legal configuration', async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  const configuration = await readConfiguration(defaultConfiguration({ dataDirectory, port: 10809 }));
  t.is(configuration.stateDirectory, dataDirectory);
  t.deepEqual(configuration.volumeServers.local?.backends.files?.config, { directory: join(dataDirectory, 'pool') });
  t.true(configuration.volumeServers.local?.backends.files?.default);
  t.deepEqual(configuration.volumeServers.local?.exporters.nbd?.config, { host: '127.0.0.1', port: 10809 });
  t.deepEqual(configuration.vmmNodes.sandbox?.hypervisor.config, { vms: { vm1: {}, vm2: {} } });
});

const refuses = test.macro({
  async exec(t, source: object, ...faults: readonly (readonly [path: string, message: RegExp])[]) {
    const found = await faultsOf(source);
    t.deepEqual(
      found.map(({ path }) => path),
      faults.map(([path]) => path),
      JSON.stringify(found, undefined, 1),
    );
    for (const [index, [, message]] of faults.entries()) t.regex(found[index]?.message ?? '', message);
  },
  title: (what) => `readConfiguration › refuses ${what}`,
});

const hypervisor = { plugin: 'xen' };
test('a misspelt key, and names the nearest', refuses, { volumeServer: {} }, [
  '/volumeServer',
  /^unknown key; did you mean volumeServers\?$/,
]);
test('an unknown key that is near to none, and names those that are known', refuses, { xyzzy: 1 }, [
  '/xyzzy',
  /known here are version, .*/,
]);
test('a misspelt key in the depth', refuses, { vmmNodes: { xen1: { hypervisor, initators: {} } } }, [
  '/vmmNodes/xen1/initators',
  /did you mean initiators\?/,
]);
test('a key that is missing because it is misspelt once only', refuses, { vmmNodes: { xen1: { hypervizor: hypervisor } } }, [
  '/vmmNodes/xen1/hypervizor',
  /did you mean hypervisor\?/,
]);
test('a node without a hypervisor', refuses, { vmmNodes: { xen1: {} } }, ['/vmmNodes/xen1/hypervisor', /is missing/]);
test('an instance without a plugin', refuses, server({ fast: {} }), ['/volumeServers/vs1/backends/fast/plugin', /is missing/]);
test('an instance with a misspelt plugin, and names it', refuses, server({ fast: { plugn: 'x' } }), [
  '/volumeServers/vs1/backends/fast/plugin',
  /is missing; is plugn meant to be it\?/,
]);
test('a name with a slash, escaped in the pointer', refuses, server({ 'a/b': { plugin: 'x' } }), [
  '/volumeServers/vs1/backends/a~1b',
  /is not a legal name: .*a-z, 0-9 and hyphen/,
]);
test('a name in capitals', refuses, { volumeServers: { VS1: {} } }, ['/volumeServers/VS1', /is not a legal name/]);
test('a name of 64 characters', refuses, { volumeServers: { ['v'.repeat(64)]: {} } }, [
  `/volumeServers/${'v'.repeat(64)}`,
  /is not a legal name/,
]);
test('another database', refuses, { database: { client: 'sqlite', filename: 'x' } }, [
  '/database/client',
  /must be sqlite3 or pg; did you mean sqlite3\?/,
]);
test('a misspelt key of the database that was meant', refuses, { database: { client: 'sqlite3', filname: 'x' } }, [
  '/database/filname',
  /did you mean filename\?/,
]);
test('a database in memory', refuses, { database: { client: 'sqlite3', filename: ':memory:' } }, ['/database/filename', /must be a file/]);
test('PostgreSQL without a state directory', refuses, { database: { client: 'pg', connection: 'postgres://h/d' } }, [
  '/stateDirectory',
  /is needed with PostgreSQL/,
]);
test(
  'a password in the connection string',
  refuses,
  { stateDirectory: 's', database: { client: 'pg', connection: 'postgres://u:p@h/d' } },
  ['/database/connection', /give it as \{ env: NAME \} or \{ file: path \}/],
);
test('a machine that is neither local nor reached by SSH', refuses, { volumeServers: { vs1: { machine: 'remote' } } }, [
  '/volumeServers/vs1/machine',
  /must be one of: local; \{ ssh: \{ host: name \} \}/,
]);
test('a host that ssh would take for an option', refuses, { volumeServers: { vs1: { machine: { ssh: { host: '-oProxyCommand=x' } } } } }, [
  '/volumeServers/vs1/machine/ssh/host',
  /not beginning with a hyphen/,
]);
test(
  'several defaults',
  refuses,
  { volumeServers: { a: { backends: { x: { plugin: 'p', default: true } } }, b: { backends: { y: { plugin: 'p', default: true } } } } },
  ['/volumeServers/b/backends/y/default', /a\/x is the default already/],
);
test('a default exporter', refuses, server({}, { x: { plugin: 'p', default: true } }), [
  '/volumeServers/vs1/exporters/x/default',
  /only a backend/,
]);
test('a backend that is open to the network', refuses, server({ x: { plugin: 'p', openNetwork: true } }), [
  '/volumeServers/vs1/backends/x/openNetwork',
  /only an exporter/,
]);
test('one name for two instances', refuses, server({ x: { plugin: 'p' } }, { x: { plugin: 'p' } }), [
  '/volumeServers/vs1/exporters/x',
  /vs1\/x is also the name of \/volumeServers\/vs1\/backends\/x/,
]);
test(
  'one host name for two nodes',
  refuses,
  { vmmNodes: { a: { hypervisor, hostnames: ['B', 'h', 'a'] }, b: { hypervisor, hostnames: ['H'] } } },
  ['/vmmNodes/a/hostnames/0', /B is the node b already/],
  ['/vmmNodes/b/hostnames/0', /H is the node a already/],
);
test('a command that is neither a pattern nor withdraws', refuses, server({ x: { plugin: 'p', commands: { create: 5 } } }), [
  '/volumeServers/vs1/backends/x/commands/create',
  /must be one of: a pattern; \{ pattern, withdraws \}/,
]);
test('a time limit of zero', refuses, server({ x: { plugin: 'p', timeLimits: { createVolume: 0 } } }), [
  '/volumeServers/vs1/backends/x/timeLimits/createVolume',
  /must be >= 1/,
]);
test('a secret where the core takes a plain name', refuses, { stateDirectory: { env: 'HOME' } }, ['/stateDirectory', /must be text/]);
test('a list in place of a map', refuses, { volumeServers: [] }, ['/volumeServers', /must be a map of keys to values/]);
test('a plugin that is neither name, path nor value', refuses, { plugins: [5] }, ['/plugins/0', /must be text/]);
test('a newer configuration, and says nothing else', refuses, { version: 2, whatever: 1 }, [
  '/version',
  /newer configuration \(version 2\).*update VBS/,
]);
test('a version that is none', refuses, { version: 'one' }, ['/version', /must be 1/]);

class Holder {
  readonly plugin = 'p';
}
test('an instance of a class in place of plain data', refuses, server({ x: new Holder() }), [
  '/volumeServers/vs1/backends/x',
  /must be a plain object/,
]);
test('a Map in place of a map', refuses, { vmmNodes: new Map([['xen1', { hypervisor }]]) }, ['/vmmNodes', /must be a plain object/]);

const cyclic: Record<string, unknown> = { plugin: 'p' };
cyclic.self = [cyclic];
test('an object that contains itself', refuses, server({ x: cyclic }), ['/volumeServers/vs1/backends/x/self/0/self', /contains itself/]);

test('readConfiguration › tells all faults at once, in message and context', async (t) => {
  const source = {
    volumeServer: {},
    database: { client: 'sqlite3', filename: 5 },
    volumeServers: { vs1: { backends: { a: { plugin: 'p', password: { env: 'VBS_NOT_THERE' }, default: true }, b: { default: true } } } },
  };
  const error = await t.throwsAsync(readConfiguration(source, { environment: {} }));
  const faults = await faultsOf(source, { environment: {} });
  t.deepEqual(faults.map(({ path }) => path).sort(), [
    '/database/filename',
    '/volumeServer',
    '/volumeServers/vs1/backends/a/password',
    '/volumeServers/vs1/backends/b/default',
    '/volumeServers/vs1/backends/b/plugin',
  ]);
  for (const { path, message } of faults) t.true(error?.message.includes(`${path}: ${message}`));
});

const unreadable = test.macro({
  async exec(t, text: string, message: RegExp) {
    const path = await configurationFile(t, text);
    const [fault] = await faultsOf(path);
    t.is(fault?.path, '');
    t.regex(fault?.message ?? '', message);
  },
  title: (what) => `readConfiguration › refuses a file ${what}`,
});
test('with a YAML error, and tells the line', unreadable, 'version: 1\nplugins: [a\nresolvers: {}\n', /^line 3, column 1: /);
test('with a key twice', unreadable, 'version: 1\nversion: 1\n', /^line 2, column 1: Map keys must be unique/);
test('with a tag that nobody knows', unreadable, 'stateDirectory: !env HOME\n', /^line 1, column 17: Unresolved tag/);
test('with an alias that leads nowhere', unreadable, 'stateDirectory: *x\n', /Unresolved alias/);
test('that is empty', unreadable, '# nothing\n', /is empty/);
test('nested deeper than the parser goes', unreadable, `x: ${'['.repeat(200_000)}`, /./);

test('readConfiguration › refuses aliases that unfold without end', async (t) => {
  const levels = Array.from({ length: 9 }, (_, level) => `a${level}: &a${level} [${level === 0 ? 'x' : `*a${level - 1}, `.repeat(9)}]`);
  t.regex((await faultsOf(await configurationFile(t, levels.join('\n'))))[0]?.message ?? '', /alias/i);
});

test('readConfiguration › refuses a file that is not there, by its path', async (t) => {
  const path = join(await temporaryDirectory(t), 'none.yaml');
  t.deepEqual(await faultsOf(path), [{ path: '', message: `there is no file ${path}` }]);
});

test('readConfiguration › refuses a plugin value in a file', async (t) => {
  const path = await configurationFile(t, 'plugins: [{ name: x, apiVersion: 1, provides: {} }]');
  t.deepEqual(await faultsOf(path), [{ path: '/plugins/0', message: 'must be text' }]);
});

test('readConfiguration › a key __proto__ changes no prototype', async (t) => {
  const path = await configurationFile(t, '{"volumeServers":{"vs1":{"backends":{"a":{"plugin":"p","__proto__":{"x":1}}}}}}', 'vbs.json');
  const config = (await readConfiguration(path)).volumeServers.vs1?.backends.a?.config;
  t.is(Object.getPrototypeOf(config), Object.prototype);
  t.deepEqual(Object.keys(config ?? {}), ['__proto__']);
});
