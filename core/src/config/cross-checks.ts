import type { Configuration, InstanceConfiguration } from './configuration.js';
import { type ConfigurationFault, pointer } from './fault.js';

type Instances = Readonly<Record<string, InstanceConfiguration>>;

/** Every configured instance, in the order of the configuration. */
export function instancesOf(configuration: Configuration): readonly InstanceConfiguration[] {
  const each = (instances: Instances) => Object.values(instances);
  return [
    ...Object.values(configuration.volumeServers).flatMap((server) => [...each(server.backends), ...each(server.exporters)]),
    ...Object.values(configuration.vmmNodes).flatMap((node) => [...each(node.initiators), node.hypervisor]),
    ...each(configuration.resolvers),
  ];
}

function repeatedNames(instances: readonly InstanceConfiguration[]): ConfigurationFault[] {
  const seen = new Map<string, string>();
  return instances.flatMap(({ name, path }) => {
    const first = seen.get(name);
    if (first === undefined) {
      seen.set(name, path);
      return [];
    }
    return [{ path, message: `${name} is also the name of ${first}; every instance needs a name of its own` }];
  });
}

function severalDefaults(instances: readonly InstanceConfiguration[]): ConfigurationFault[] {
  const [first, ...others] = instances.filter((instance) => instance.default);
  return others.map(({ path }) => ({
    path: pointer(path, 'default'),
    message: `${first?.name} is the default already; only one backend can be`,
  }));
}

function ambiguousHosts({ vmmNodes }: Configuration): ConfigurationFault[] {
  const owners = new Map(Object.keys(vmmNodes).map((name) => [name, name]));
  return Object.entries(vmmNodes).flatMap(([node, { hostnames }]) =>
    hostnames.flatMap((hostname, index) => {
      const owner = owners.get(hostname.toLowerCase());
      if (owner === undefined) owners.set(hostname.toLowerCase(), node);
      if (owner === undefined || owner === node) return [];
      return [{ path: pointer('/vmmNodes', node, 'hostnames', index), message: `${hostname} is the node ${owner} already` }];
    }),
  );
}

/** What no schema can say: names that two instances share, several defaults, a host name of two nodes. */
export function crossChecks(configuration: Configuration): readonly ConfigurationFault[] {
  const instances = instancesOf(configuration);
  return [...repeatedNames(instances), ...severalDefaults(instances), ...ambiguousHosts(configuration)];
}
