import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { defaultConfiguration, methodFacts } from '../../core/dist/index.js';
import { SetupError } from '../setup/setup-error.mjs';
import { facts } from './configuration/facts.mjs';
import { keyTable, table } from './configuration/key-table.mjs';
import { pluginSchemas } from './configuration/plugin-schemas.mjs';
import { keysOf } from './configuration/schema-keys.mjs';
import { updateFiles } from './update-files.mjs';

const configurationSchema = 'schemas/configuration.schema.json';
const folder = 'scripts/generate/configuration';
/** Stands in the default configuration for the folder that is told when it is used. */
const dataDirectory = '/DATA';

/** Writes docs/configuration.md: its prose stands in the template, its tables come from the schemas and the core. */
export async function generateConfigurationReference({ root, check }) {
  const template = await readFile(join(root, folder, 'configuration.md.template'), 'utf8');
  const schema = JSON.parse(await readFile(join(root, configurationSchema), 'utf8'));
  const parts = {
    '': () => keyTable(keysOf(schema, schema, { stopAt: isDefinition }), schema, facts[configurationSchema]),
    ...Object.fromEntries(Object.keys(schema.$defs).map((name) => [`#${name}`, () => definitionTable(schema, name)])),
  };
  const plugins = await pluginSchemas(root);
  const text = template.replaceAll(/^\{\{(.+)\}\}$/gm, (_, name) => {
    if (name === 'default configuration') return defaultAsYaml();
    if (name === 'time limits') return timeLimits();
    if (name === 'plugins') return plugins.map(pluginSection).join('\n\n');
    const part = name.startsWith('keys') ? parts[name.slice('keys'.length)] : undefined;
    if (part === undefined) throw new SetupError(`${folder}/configuration.md.template names {{${name}}}, which nothing makes`);
    return part();
  });
  return updateFiles(new Map([['docs/configuration.md', text]]), { root, check });
}

/** What has a section of its own; {@link facts} have an example of the whole. */
function isDefinition(schema) {
  const ref = schema.$ref ?? schema.additionalProperties?.$ref;
  return ref?.startsWith('#/$defs/') === true && !/Secret$/.test(ref);
}

function definitionTable(schema, name) {
  const definition = schema.$defs[name];
  return keyTable(keysOf(definition, schema, { stopAt: isDefinition }), schema, facts[`${configurationSchema}#${name}`]);
}

const kinds = {
  volumeBackend: 'a backend of a volume server (`volumeServers.NAME.backends.NAME`)',
  targetExporter: 'an exporter of a volume server (`volumeServers.NAME.exporters.NAME`)',
  initiator: 'an initiator of a VMM node (`vmmNodes.NAME.initiators.NAME`)',
  hypervisor: 'the hypervisor of a VMM node (`vmmNodes.NAME.hypervisor`)',
  cloudResolver: 'a resolver (`resolvers.NAME`)',
};

function pluginSection({ file, folder: from, schema, kind, plugin, packageName }) {
  const keys = keysOf(schema, schema);
  return [
    `### ${plugin}: ${schema.title}`,
    '',
    `\`plugin: ${plugin}\`, from the package [\`${packageName}\`](../${from}/README.md), as ${kinds[kind]}. ${schema.description}`,
    '',
    keys.length === 0 ? 'It has no keys of its own.' : keyTable(keys, schema, facts[file]),
  ].join('\n');
}

function defaultAsYaml() {
  const yaml = stringify(defaultConfiguration({ dataDirectory, port: 0 }), { lineWidth: 0 });
  return `\`\`\`yaml\n${yaml.replaceAll(dataDirectory, 'DATA')}\`\`\``;
}

function timeLimits() {
  const rows = Object.entries(methodFacts).flatMap(([kind, methods]) =>
    Object.entries(methods).map(([method, { timeLimitMs, limitCounts }]) => [
      `\`${method}\``,
      kind,
      timeLimitMs.toLocaleString('en-US'),
      limitCounts === 'idle' ? 'its last progress' : 'its start',
    ]),
  );
  return table(['method', 'of', 'milliseconds', 'counted from'], rows);
}
