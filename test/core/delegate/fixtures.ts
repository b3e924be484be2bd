import type { Plugin, Protocol } from '@vbs/core';
import { cloudResolver, definePlugin, hypervisor, initiator, targetExporter, volumeBackend } from '@vbs/core';
import type { Configuration, InstanceConfiguration } from '@vbs/core/internal/config/configuration.js';
import type { DelegateServices } from '@vbs/core/internal/delegate/open-delegates.js';
import { fakeLocalMachine, fakeMachine, instanceConfiguration, memoryLog } from '../plugin/fixtures.js';

/** What the instances of {@link testPlugin} do when they are opened and closed; keyed by `open` or `close` and the instance's name. */
export interface Script {
  readonly events: string[];
  readonly on: Map<string, () => Promise<void>>;
  readonly knowsPool: Map<string, boolean>;
}

export function newScript(): Script {
  return { events: [], on: new Map(), knowsPool: new Map() };
}

interface Shape {
  readonly protocol?: Protocol;
  readonly lifetime?: 'process' | 'daemon';
  readonly accepts?: readonly ('file' | 'block')[];
  readonly opens?: readonly Protocol[];
  readonly capabilities?: readonly ('acl' | 'chap')[];
  readonly machine?: 'any' | 'local';
  readonly reach?: 'loopback' | 'network';
}

const configSchema = { type: 'object', properties: { size: { type: 'integer' } }, additionalProperties: false };

/** A plugin of every kind, whose instances only tell what happens to them. */
export function testPlugin(name: string, script: Script, shape: Shape = {}): Plugin {
  const { protocol = 'nbd', lifetime = 'daemon', accepts = ['file'], opens = [], capabilities = ['acl'], machine = 'any' } = shape;
  const { reach = 'network' } = shape;
  const happen = async (event: 'open' | 'close', instance: string): Promise<void> => {
    script.events.push(`${event} ${instance}`);
    await script.on.get(`${event} ${instance}`)?.();
  };
  const opened = async <T extends object>(instance: { name: string; store: { knowsPool: boolean } }, methods: T) => {
    script.knowsPool.set(instance.name, instance.store.knowsPool);
    await happen('open', instance.name);
    return { ...methods, close: () => happen('close', instance.name) };
  };
  const never = async (): Promise<never> => {
    throw new Error('not in this test');
  };
  const common = { configSchema, machine } as const;
  return definePlugin({
    name,
    apiVersion: 1,
    provides: {
      volumeBackend: volumeBackend({
        ...common,
        capabilities: [],
        locators: ['file'],
        open: (instance) =>
          opened(instance, {
            granularityBytes: 1,
            createVolume: never,
            deleteVolume: never,
            listVolumes: never,
            getCapacity: never,
            markEpoch: never,
          }),
      }),
      targetExporter: targetExporter({
        ...common,
        capabilities,
        protocol,
        accepts,
        lifetime,
        open: (instance) => opened(instance, { reach, createExport: never, deleteExport: never, listExports: never, ensureExports: never }),
      }),
      initiator: initiator({
        ...common,
        capabilities: [],
        protocol,
        open: (instance) => opened(instance, { getIdentity: never, connect: never, disconnect: never, listConnections: never }),
      }),
      hypervisor: hypervisor({
        ...common,
        capabilities: [],
        opens,
        lifetime,
        open: (instance) =>
          opened(instance, {
            identifyVm: never,
            canonicalSlot: never,
            attachDevice: never,
            detachDevice: never,
            listDevices: async () => [],
          }),
      }),
      cloudResolver: cloudResolver({ ...common, capabilities: [], open: (instance) => opened(instance, { resolveInstance: never }) }),
    },
  });
}

type Instances = Readonly<Record<string, Partial<InstanceConfiguration>>>;

export interface Outline {
  readonly servers?: Readonly<Record<string, { ssh?: boolean; backends?: Instances; exporters?: Instances }>>;
  readonly nodes?: Readonly<
    Record<string, { ssh?: boolean; hostnames?: string[]; initiators?: Instances; hypervisor: Partial<InstanceConfiguration> }>
  >;
  readonly resolvers?: Instances;
}

function instancesAt(prefix: string, path: string, instances: Instances = {}): Readonly<Record<string, InstanceConfiguration>> {
  return Object.fromEntries(
    Object.entries(instances).map(([name, instance]) => [
      name,
      instanceConfiguration({ name: `${prefix}${name}`, path: `${path}/${name}`, ...instance }),
    ]),
  );
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, map: (name: string, value: T) => U): Readonly<Record<string, U>> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(name, value)]));
}

export function configurationOf(stateDirectory: string, { servers = {}, nodes = {}, resolvers = {} }: Outline): Configuration {
  const machine = (ssh: boolean | undefined, host: string) => (ssh === true ? { ssh: { host } } : 'local');
  return {
    baseDirectory: stateDirectory,
    stateDirectory,
    database: { client: 'sqlite3', filename: `${stateDirectory}/vbs.sqlite` },
    masterKey: null,
    plugins: [],
    volumeServers: mapValues(servers, (name, server) => ({
      machine: machine(server.ssh, name),
      backends: instancesAt(`${name}/`, `/volumeServers/${name}/backends`, server.backends),
      exporters: instancesAt(`${name}/`, `/volumeServers/${name}/exporters`, server.exporters),
    })),
    vmmNodes: mapValues(nodes, (name, node) => ({
      machine: machine(node.ssh, name),
      hostnames: node.hostnames ?? [],
      initiators: instancesAt(`${name}/`, `/vmmNodes/${name}/initiators`, node.initiators),
      hypervisor: instanceConfiguration({ name: `${name}/hypervisor`, path: `/vmmNodes/${name}/hypervisor`, ...node.hypervisor }),
    })),
    resolvers: instancesAt('', '/resolvers', resolvers),
  };
}

export function testServices(overrides: Partial<DelegateServices> = {}): DelegateServices {
  return {
    machines: {
      machine: (configuration) => (configuration === 'local' ? fakeLocalMachine() : fakeMachine(configuration.ssh.host, 'boot-remote')),
    },
    store: { id: 'b'.repeat(32), knownPools: new Set() },
    log: memoryLog().log,
    graceMs: 50,
    closeLimitMs: 200,
    ...overrides,
  };
}

export function named(...plugins: Plugin[]): ReadonlyMap<string, Plugin> {
  return new Map(plugins.map((plugin) => [plugin.name, plugin]));
}
