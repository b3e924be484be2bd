import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ContractKind, instancesOf, type Plugin, readConfiguration, validateInstanceConfig } from '@vbs/core';
import { loadPlugins } from '@vbs/core/internal/plugin/load-plugins.js';
import test from 'ava';
import { type Block, blocksOf, filesBelow, readDocument, root } from './markdown.js';

const document = await readDocument('docs/configuration.md');
const guide = await readDocument('docs/operators.md');
const examplesOf = (page: string): readonly Block[] =>
  blocksOf(page).filter(({ info: [language, role] }) => language === 'yaml' && role === 'example');
const examples = examplesOf(document);
const guideExamples = [...examplesOf(guide), ...examplesOf(await readDocument('docs/from-the-paper.md'))];
const plugins = (await readdir(join(root, 'plugins'))).sort();

/** The names of all keys that a schema has, at any depth. */
function keyNames(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = 'properties' in value && typeof value.properties === 'object' ? Object.keys(value.properties ?? {}) : [];
  return [...own, ...Object.entries(value).flatMap(([key, item]) => (key === 'examples' || key === 'default' ? [] : keyNames(item)))];
}

/** The rows of the page's tables of keys, by the last name of the key's path. */
const told = new Map(
  [...document.matchAll(/^\| `(?:[^`|]+\.)?([^`.|]+)` \| ((?:[^|\\]|\\.)*) \| ([^|]*) \| `(?:[^|]|\\\|)*` \| (.*) \|$/gm)].map((match) => [
    match[1] ?? '',
    match,
  ]),
);

for (const file of [
  'schemas/configuration.schema.json',
  ...(await filesBelow('plugins', (path) => /^plugins\/[^/]+\/[^/]+\.schema\.json$/.test(path))),
]) {
  test(`configuration › every key of ${file} has a row with what it takes, a default, an example and a description`, async (t) => {
    const names = new Set(keyNames(JSON.parse(await readFile(join(root, file), 'utf8'))));
    // What a secret is has a table of its own, and its rows where a key takes one or a text.
    t.true(names.size > 0);
    t.deepEqual(
      [...names].filter((name) => !told.has(name)),
      [],
    );
  });
}

test('configuration › every plugin that publishes a schema has a section', async (t) => {
  for (const plugin of plugins) {
    const schemas = (await readdir(join(root, 'plugins', plugin))).filter((name) => name.endsWith('.schema.json'));
    for (const schema of schemas) {
      const { title } = JSON.parse(await readFile(join(root, 'plugins', plugin, schema), 'utf8')) as { readonly title: string };
      t.true(document.includes(`: ${title}\n`), `${plugin}/${schema}`);
    }
  }
});

/** A file's configuration, and its plugins. @throws CONFIG_INVALID, PLUGIN_INVALID */
async function loadExample(directory: string, { text }: Block) {
  const file = join(directory, 'vbs.yaml');
  await writeFile(file, text);
  const configuration = await readConfiguration(file);
  return { configuration, loaded: await loadPlugins(configuration.plugins, root) };
}

/** The backends and nodes of an example between which no exporter and initiator lead. */
async function nodesWithoutRoute(directory: string, example: Block): Promise<readonly string[]> {
  const { configuration, loaded } = await loadExample(directory, example);
  const pairs = Object.values(configuration.volumeServers).flatMap(({ backends, exporters }) =>
    Object.values(backends).flatMap((backend) =>
      Object.entries(configuration.vmmNodes).map(([name, node]) => ({ backend, exporters: Object.values(exporters), name, node })),
    ),
  );
  return pairs
    .filter(({ backend, exporters, node }) => {
      const locators: readonly string[] = loaded.get(backend.plugin)?.provides.volumeBackend?.locators ?? [];
      const spoken = new Set([
        ...Object.values(node.initiators).map(({ plugin }) => loaded.get(plugin)?.provides.initiator?.protocol),
        ...(loaded.get(node.hypervisor.plugin)?.provides.hypervisor?.opens ?? []),
      ]);
      return !exporters.some(({ plugin }) => {
        const exporter = loaded.get(plugin)?.provides.targetExporter;
        return exporter?.accepts.some((kind) => locators.includes(kind)) === true && spoken.has(exporter.protocol);
      });
    })
    .map(({ backend, name }) => `${backend.path} → ${name}`);
}

/** What is wrong with the plugins' own keys of an example. @throws CONFIG_INVALID, PLUGIN_INVALID */
async function faultsOf(directory: string, example: Block) {
  const { configuration, loaded } = await loadExample(directory, example);
  return instancesOf(configuration).flatMap((instance) => {
    const provider = providerOf(loaded.get(instance.plugin), instance.path);
    return provider === undefined
      ? [{ path: instance.path, message: 'no provider' }]
      : validateInstanceConfig(provider.configSchema, instance).faults;
  });
}

function providerOf(plugin: Plugin | undefined, path: string): { readonly configSchema: object } | undefined {
  const kinds: readonly (readonly [string, ContractKind])[] = [
    ['/backends/', 'volumeBackend'],
    ['/exporters/', 'targetExporter'],
    ['/initiators/', 'initiator'],
    ['/hypervisor', 'hypervisor'],
    ['/resolvers/', 'cloudResolver'],
  ];
  const kind = kinds.find(([part]) => path.includes(part))?.[1];
  return kind === undefined ? undefined : plugin?.provides[kind];
}

test('configuration › there are whole examples', (t) => {
  t.true(examples.length >= 3);
  t.true(guideExamples.length >= 2);
});

for (const example of guideExamples) {
  test(`configuration › in the example ${example.info[2]} every backend has a way to every node`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'vbs-example-'));
    t.teardown(() => rm(directory, { recursive: true, force: true }));
    t.deepEqual(await nodesWithoutRoute(directory, example), []);
  });
}

test('configuration › what the test of the ways asks finds a node without an initiator', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-example-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const [first] = guideExamples;
  if (first === undefined) return t.fail();
  const wrong = { ...first, text: first.text.replace(/^ *initiators: .*$/m, '') };
  t.deepEqual(await nodesWithoutRoute(directory, wrong), ['/volumeServers/vs1/backends/fast → node1']);
});

for (const example of [...examples, ...guideExamples]) {
  test(`configuration › the example ${example.info[2]} is legal, with the keys of its plugins`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'vbs-example-'));
    t.teardown(() => rm(directory, { recursive: true, force: true }));
    t.deepEqual(await faultsOf(directory, example), []);
  });
}

test('configuration › what the test of the examples asks finds a misspelt key', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-example-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const [first] = examples;
  if (first === undefined) return t.fail();
  const wrong = { ...first, text: first.text.replace('directory:', 'directroy:') };
  t.true((await faultsOf(directory, wrong)).some(({ path }) => path.endsWith('/directroy')));
});
