import { dirname, resolve } from 'node:path';
import { isSecret, type Secret } from '../contract/secret.js';
import type { Plugin } from '../plugin/define-plugin.js';
import type {
  Configuration,
  DatabaseConfiguration,
  InstanceConfiguration,
  MachineConfiguration,
  VmmNodeConfiguration,
  VolumeServerConfiguration,
} from './configuration.js';
import { configurationSchemaFaults, configurationVersion } from './configuration-schema.js';
import { crossChecks } from './cross-checks.js';
import { type ConfigurationFault, configInvalid, pointer } from './fault.js';
import { entriesOf, isDisguised, isPlainObject, own } from './plain-data.js';
import { readInstance } from './read-instance.js';
import { type ReadSource, readSource } from './read-source.js';
import { resolveSecrets, type SecretSources } from './secrets.js';

export interface ReadConfigurationOptions {
  /** What relative paths start from: the file's folder unless told, or for an object the current one. */
  readonly baseDirectory?: string;
  /** Where `{ env: NAME }` looks; the process's own unless told. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

const defaultFilename = 'vbs.sqlite';

/** A plugin that an embedder hands over as a value; the loader checks it. */
function isPluginValue(value: unknown): value is Plugin {
  return typeof value === 'object' && value !== null && 'provides' in value;
}

/** The same for the schema, which knows texts alone: a Secret and a plugin that are values stand as texts. */
function asPlainText(value: unknown): unknown {
  if (!isPlainObject(value)) return value;
  const { plugins } = value;
  const database = entriesOf(value.database).map(([key, item]) => [key, isSecret(item) ? item.toString() : item]);
  return {
    ...value,
    ...(Array.isArray(plugins) ? { plugins: plugins.map((plugin: unknown) => (isPluginValue(plugin) ? 'a plugin' : plugin)) } : {}),
    ...(isSecret(value.masterKey) ? { masterKey: { env: 'given' } } : {}),
    ...(isPlainObject(value.database) ? { database: Object.fromEntries(database) } : {}),
  };
}

async function readDatabase(value: unknown, sources: SecretSources): Promise<DatabaseConfiguration> {
  const filename = own(value, 'filename');
  if (own(value, 'client') !== 'pg') {
    if (filename === ':memory:')
      sources.faults.push({ path: '/database/filename', message: 'must be a file; what lies in memory is lost' });
    return { client: 'sqlite3', filename: resolve(sources.baseDirectory, typeof filename === 'string' ? filename : defaultFilename) };
  }
  const path = '/database/connection';
  const connection = await resolveSecrets(own(value, 'connection'), path, sources);
  if (typeof connection === 'string' && URL.canParse(connection) && new URL(connection).password !== '')
    sources.faults.push({ path, message: 'holds a password: give it as { env: NAME } or { file: path }' });
  return { client: 'pg', connection: isSecret(connection) ? connection : String(connection) };
}

function readStateDirectory(value: unknown, database: DatabaseConfiguration, sources: SecretSources): string {
  if (typeof value === 'string') return resolve(sources.baseDirectory, value);
  if (database.client === 'sqlite3') return dirname(database.filename);
  sources.faults.push({ path: '/stateDirectory', message: 'is needed with PostgreSQL: a folder of this machine for locks and guards' });
  return sources.baseDirectory;
}

/** As many characters as 128 bits have in hex. */
const shortestMasterKey = 32;

async function readMasterKey(value: unknown, sources: SecretSources): Promise<Secret | null> {
  const path = '/masterKey';
  if (value === undefined) return null;
  const key = await resolveSecrets(value, path, sources);
  // The schema tells of everything else.
  if (!isSecret(key)) return null;
  if (key.reveal().length < shortestMasterKey && !sources.faults.some((fault) => fault.path === path))
    sources.faults.push({ path, message: `must have at least ${shortestMasterKey} characters: draw one with openssl rand -hex 32` });
  return key;
}

function readPlugins(value: unknown, baseDirectory: string): readonly (string | Plugin)[] {
  const given: readonly unknown[] = Array.isArray(value) ? value : [];
  return given.map((plugin) => {
    if (isPluginValue(plugin)) return plugin;
    const name = String(plugin);
    return /^\.{1,2}\//.test(name) ? resolve(baseDirectory, name) : name;
  });
}

function readMachine(value: unknown, baseDirectory: string): MachineConfiguration {
  const ssh = own(value, 'ssh');
  const host = own(ssh, 'host');
  if (host === undefined) return 'local';
  const configFile = own(ssh, 'configFile');
  const stateDirectory = own(ssh, 'stateDirectory');
  return {
    ssh: {
      host: String(host),
      ...(typeof configFile === 'string' ? { configFile: resolve(baseDirectory, configFile) } : {}),
      ...(typeof stateDirectory === 'string' ? { stateDirectory } : {}),
    },
  };
}

/** The core's own levels are plain maps: what an instance of a class holds would be passed over. */
function requirePlain(value: unknown, at: string, sources: SecretSources): void {
  if (isDisguised(value)) sources.faults.push({ path: at, message: 'must be a plain object' });
}

async function readMap<T>(
  value: unknown,
  at: string,
  sources: SecretSources,
  read: (name: string, item: unknown) => Promise<T>,
): Promise<Readonly<Record<string, T>>> {
  requirePlain(value, at, sources);
  const entries: [string, T][] = [];
  for (const [name, item] of entriesOf(value)) {
    requirePlain(item, pointer(at, name), sources);
    entries.push([name, await read(name, item)]);
  }
  return Object.fromEntries(entries);
}

async function readServer(server: string, value: unknown, sources: SecretSources): Promise<VolumeServerConfiguration> {
  const instances = (group: 'backends' | 'exporters', kind: 'volumeBackend' | 'targetExporter') => {
    const at = pointer('/volumeServers', server, group);
    return readMap(own(value, group), at, sources, (name, item) =>
      readInstance(item, kind, { name: `${server}/${name}`, path: pointer(at, name) }, sources),
    );
  };
  return {
    machine: readMachine(own(value, 'machine'), sources.baseDirectory),
    backends: await instances('backends', 'volumeBackend'),
    exporters: await instances('exporters', 'targetExporter'),
  };
}

async function readNode(node: string, value: unknown, sources: SecretSources): Promise<VmmNodeConfiguration> {
  const hostnames = own(value, 'hostnames');
  const path = pointer('/vmmNodes', node);
  const initiators = pointer(path, 'initiators');
  requirePlain(own(value, 'hypervisor'), pointer(path, 'hypervisor'), sources);
  return {
    machine: readMachine(own(value, 'machine'), sources.baseDirectory),
    hostnames: Array.isArray(hostnames) ? hostnames.map(String) : [],
    initiators: await readMap(own(value, 'initiators'), initiators, sources, (name, item) =>
      readInstance(item, 'initiator', { name: `${node}/${name}`, path: pointer(initiators, name) }, sources),
    ),
    hypervisor: await readInstance(
      own(value, 'hypervisor'),
      'hypervisor',
      { name: `${node}/hypervisor`, path: pointer(path, 'hypervisor') },
      sources,
    ),
  };
}

function readResolver(name: string, value: unknown, sources: SecretSources): Promise<InstanceConfiguration> {
  return readInstance(value, 'cloudResolver', { name, path: pointer('/resolvers', name) }, sources);
}

async function assemble(value: unknown, sources: SecretSources): Promise<Configuration> {
  requirePlain(value, '', sources);
  requirePlain(own(value, 'database'), '/database', sources);
  const database = await readDatabase(own(value, 'database'), sources);
  return {
    baseDirectory: sources.baseDirectory,
    stateDirectory: readStateDirectory(own(value, 'stateDirectory'), database, sources),
    database,
    masterKey: await readMasterKey(own(value, 'masterKey'), sources),
    plugins: readPlugins(own(value, 'plugins'), sources.baseDirectory),
    volumeServers: await readMap(own(value, 'volumeServers'), '/volumeServers', sources, (name, item) => readServer(name, item, sources)),
    vmmNodes: await readMap(own(value, 'vmmNodes'), '/vmmNodes', sources, (name, item) => readNode(name, item, sources)),
    resolvers: await readMap(own(value, 'resolvers'), '/resolvers', sources, (name, item) => readResolver(name, item, sources)),
  };
}

/**
 * Reads, validates and completes a configuration: a YAML or JSON file by its path, or the value that such a file holds, in which
 * plugins and Secrets may be values. Nothing is opened. The plugins' own keys are left to {@link validateInstanceConfig}.
 * @throws CONFIG_INVALID: `context.faults` lists every fault with its JSON pointer.
 */
export async function readConfiguration(source: string | object, options: ReadConfigurationOptions = {}): Promise<Configuration> {
  const read: ReadSource =
    typeof source === 'string' ? await readSource(source) : { title: 'The configuration', directory: process.cwd(), value: source };
  const version = own(read.value, 'version');
  if (typeof version === 'number' && version > configurationVersion) {
    const message = `this is a newer configuration (version ${version}); this VBS understands version ${configurationVersion}: update VBS`;
    throw configInvalid(read.title, [{ path: '/version', message }]);
  }
  const document = typeof source === 'string' ? read.value : asPlainText(read.value);
  const faults: ConfigurationFault[] = [...configurationSchemaFaults(document)];
  const sources = {
    baseDirectory: resolve(options.baseDirectory ?? read.directory),
    environment: options.environment ?? process.env,
    faults,
  };
  const configuration = await assemble(read.value, sources);
  faults.push(...crossChecks(configuration));
  if (faults.length > 0) throw configInvalid(read.title, faults);
  return configuration;
}
