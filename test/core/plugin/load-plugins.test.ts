import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cloudResolver, definePlugin, isVbsError, type Plugin, type VbsError } from '@vbs/core';
import { loadPlugins } from '@vbs/core/internal/plugin/load-plugins.js';
import { manifestFaults } from '@vbs/core/internal/plugin/manifest-faults.js';
import test, { type ExecutionContext } from 'ava';
import { noKeys, temporaryDirectory } from './fixtures.js';

const resolverPlugin = (name: string): Plugin =>
  definePlugin({
    name,
    apiVersion: 1,
    provides: {
      cloudResolver: cloudResolver({
        configSchema: noKeys,
        capabilities: [],
        machine: 'any',
        open: async () => ({ resolveInstance: async (_call, { instanceId }) => ({ instanceId, vmmHost: 'h', vmId: 'v' }) }),
      }),
    },
  });

const manifestText = (name: string, apiVersion = 1): string => `({
  name: '${name}', apiVersion: ${apiVersion},
  provides: {
    cloudResolver: {
      configSchema: { type: 'object', additionalProperties: false },
      capabilities: [], machine: 'any', open: async () => ({ resolveInstance() {} }),
    },
  },
})`;

async function put(directory: string, file: string, text: string): Promise<void> {
  const at = path.join(directory, file);
  await mkdir(path.dirname(at), { recursive: true });
  await writeFile(at, text);
}

async function refusal(t: ExecutionContext, list: readonly (string | Plugin)[], directory: string): Promise<VbsError> {
  const error = await t.throwsAsync(loadPlugins(list, directory));
  if (!isVbsError(error)) throw new Error('no VbsError', { cause: error });
  t.is(error.code, 'PLUGIN_INVALID');
  return error;
}

test('loadPlugins › takes values as they are', async (t) => {
  const one = resolverPlugin('one');
  const plugins = await loadPlugins([one, resolverPlugin('two')], '/nowhere');
  t.deepEqual([...plugins.keys()], ['one', 'two']);
  t.is(plugins.get('one'), one);
});

test('loadPlugins › finds paths from the base directory, files and folders, and packages next to it', async (t) => {
  const directory = await temporaryDirectory(t);
  await put(directory, 'mine/index.mjs', `export default ${manifestText('by-path')};`);
  await put(directory, 'folder/package.json', '{"type":"module","main":"main.js"}');
  await put(directory, 'folder/main.js', `export default ${manifestText('by-folder')};`);
  await put(directory, 'node_modules/@acme/vbs-plugin/package.json', '{"name":"@acme/vbs-plugin","type":"module","exports":"./plugin.js"}');
  await put(directory, 'node_modules/@acme/vbs-plugin/plugin.js', `export default ${manifestText('by-name')};`);
  await put(directory, 'compiled.cjs', `exports.__esModule = true; exports.default = ${manifestText('common-js')};`);
  const plugins = await loadPlugins(['./mine/index.mjs', './folder', '@acme/vbs-plugin', path.join(directory, 'compiled.cjs')], directory);
  t.deepEqual([...plugins.keys()], ['by-path', 'by-folder', 'by-name', 'common-js']);
});

test('loadPlugins › finds what is installed next to VBS where the base directory has none', async (t) => {
  const directory = await temporaryDirectory(t);
  // ajv is a dependency of the core, and no plugin: that it was found shows in what is wrong with it.
  const error = await refusal(t, ['ajv'], directory);
  t.notRegex(error.message, /npm install/);
});

test('loadPlugins › names a missing plugin and what to do', async (t) => {
  const directory = await temporaryDirectory(t);
  const error = await refusal(t, ['@acme/vbs-plugin-none/extra', './none.js', 'node:fs'], directory);
  const faults = error.context.faults as { path: string; spec: string; message: string }[];
  t.deepEqual(
    faults.map((fault) => [fault.path, fault.spec]),
    [
      ['/plugins/0', '@acme/vbs-plugin-none/extra'],
      ['/plugins/1', './none.js'],
      ['/plugins/2', 'node:fs'],
    ],
  );
  t.regex(faults[0]?.message ?? '', /npm install @acme\/vbs-plugin-none`/);
  t.true(faults[1]?.message.includes(path.join(directory, 'none.js')));
  t.regex(error.message, /@acme\/vbs-plugin-none/);
});

test('loadPlugins › tells all faults of all plugins at once', async (t) => {
  const directory = await temporaryDirectory(t);
  await put(directory, 'throws.mjs', `throw new Error('no luck today');`);
  await put(directory, 'broken.mjs', `import 'a-dependency-that-is-not-there';`);
  await put(directory, 'empty.mjs', `export const plugin = 1;`);
  await put(directory, 'newer.mjs', `export default ${manifestText('newer', 2)};`);
  const error = await refusal(
    t,
    ['./throws.mjs', './broken.mjs', './empty.mjs', './newer.mjs', resolverPlugin('twice'), resolverPlugin('twice')],
    directory,
  );
  const faults = error.context.faults as { path: string; message: string }[];
  t.is(faults.length, 5);
  t.regex(faults[0]?.message ?? '', /no luck today/);
  t.regex(faults[1]?.message ?? '', /a-dependency-that-is-not-there/);
  t.regex(faults[2]?.message ?? '', /default export/);
  t.regex(faults[3]?.message ?? '', /apiVersion is 2; this core speaks 1/);
  t.is(faults[4]?.path, '/plugins/5');
  t.regex(faults[4]?.message ?? '', /twice/);
});

const open = async () => ({});
const backend = { configSchema: noKeys, capabilities: ['snapshot'], locators: ['block'], machine: 'any', open };
const exporter = { configSchema: noKeys, capabilities: [], protocol: 'nbd', accepts: ['file'], lifetime: 'daemon', machine: 'any', open };

const faulty = test.macro((t: ExecutionContext, provides: unknown, ...expected: RegExp[]) => {
  const faults = manifestFaults({ name: 'p', apiVersion: 1, provides });
  t.is(faults.length, expected.length, faults.join('\n'));
  for (const [index, pattern] of expected.entries()) t.regex(faults[index] ?? '', pattern);
});

test('manifestFaults › finds none in a right manifest', faulty, { volumeBackend: backend, targetExporter: exporter });
test('manifestFaults › nothing provided', faulty, {}, /provides nothing/);
test('manifestFaults › an unknown kind', faulty, { volumeBackends: backend }, /provides\.volumeBackends: no such kind/);
test(
  'manifestFaults › a capability of another kind',
  faulty,
  { volumeBackend: { ...backend, capabilities: ['chap'] } },
  /'chap' is none of this kind: snapshot, /,
);
test(
  'manifestFaults › a capability without the one that it needs',
  faulty,
  { volumeBackend: { ...backend, capabilities: ['instant-clone'] } },
  /'instant-clone' needs 'snapshot'/,
);
test('manifestFaults › open is no function', faulty, { volumeBackend: { ...backend, open: {} } }, /open must be a function/);
const swallowed = /^provides\.volumeBackend: configSchema must say additionalProperties: false/;
const notClosed = { type: 'object', properties: { a: { type: 'string' } } };
for (const [what, configSchema] of Object.entries({
  'has other keys too': notClosed,
  'takes other keys of a form': { ...notClosed, additionalProperties: { type: 'string' } },
  'has no type': { properties: notClosed.properties },
  'is empty': {},
  'has alternatives beside keys of its own': { ...notClosed, oneOf: [{ required: ['a'] }] },
}))
  test(
    `manifestFaults › a configSchema that ${what} would swallow misspelt keys`,
    faulty,
    { volumeBackend: { ...backend, configSchema } },
    swallowed,
  );
for (const [what, configSchema] of Object.entries({
  'knows all keys of its alternatives': { ...notClosed, oneOf: [{ properties: { b: {} } }], unevaluatedProperties: false },
  'leaves the keys to its alternatives': { oneOf: [{ ...notClosed, additionalProperties: false }] },
}))
  test(`manifestFaults › a configSchema that ${what} is right`, faulty, { volumeBackend: { ...backend, configSchema } });
test('manifestFaults › no locators', faulty, { volumeBackend: { ...backend, locators: [] } }, /locators must be a list/);
test(
  'manifestFaults › several faults at once',
  faulty,
  { volumeBackend: { ...backend, machine: 'ssh', configSchema: 'text' }, hypervisor: null },
  /configSchema/,
  /machine must be 'any' or 'local'/,
  /provides\.hypervisor: must be an object/,
);
test(
  'manifestFaults › a protocol that the core does not know needs connectionSchema',
  faulty,
  { targetExporter: { ...exporter, protocol: 'nvme-tcp' } },
  /'nvme-tcp' is none of the core's \(iscsi, aoe, nbd\): connectionSchema/,
);
test('manifestFaults › a protocol of its own with its schema', faulty, {
  targetExporter: { ...exporter, protocol: 'nvme-tcp', connectionSchema: { type: 'object' } },
});
test('manifestFaults › a lifetime that is none', faulty, { targetExporter: { ...exporter, lifetime: 'long' } }, /lifetime must be/);

test('manifestFaults › a value that is no manifest', (t) => {
  for (const value of [undefined, null, 'lvm', 5, [], () => undefined]) t.is(manifestFaults(value).length, 1);
  t.regex(manifestFaults({ name: 'p' })[0] ?? '', /apiVersion is missing/);
  t.regex(manifestFaults({ name: 'Big Name', apiVersion: 1, provides: { volumeBackend: backend } })[0] ?? '', /name must be/);
});
