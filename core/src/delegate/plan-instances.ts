import type { Configuration, InstanceConfiguration, MachineConfiguration } from '../config/configuration.js';
import type { ConfigurationFault } from '../config/fault.js';
import { pointer } from '../config/fault.js';
import { nearest } from '../config/nearest.js';
import type { ContractKind } from '../contract/method-facts.js';
import { toVbsError } from '../errors.js';
import type { Machine } from '../machine/machine.js';
import type { Plugin } from '../plugin/define-plugin.js';
import type { PreparedInstance } from '../plugin/prepare-instance.js';
import { prepareInstance } from '../plugin/prepare-instance.js';
import type { InstanceFailure } from './start-failure.js';
import { startFailure } from './start-failure.js';

export interface PlannedServer {
  readonly name: string;
  readonly machine: Machine;
  readonly backends: readonly PreparedInstance<'volumeBackend'>[];
  readonly exporters: readonly PreparedInstance<'targetExporter'>[];
}

export interface PlannedNode {
  readonly name: string;
  readonly hostnames: readonly string[];
  readonly machine: Machine;
  readonly initiators: readonly PreparedInstance<'initiator'>[];
  readonly hypervisor: PreparedInstance<'hypervisor'>;
}

/** Everything that the configuration names, found right and not opened yet. */
export interface Plan {
  readonly servers: readonly PlannedServer[];
  readonly nodes: readonly PlannedNode[];
  readonly resolvers: readonly PreparedInstance<'cloudResolver'>[];
}

/** Looks up plugins and machines, and notes what is wrong on the way. */
class Planner {
  readonly faults: ConfigurationFault[] = [];
  readonly failures: InstanceFailure[] = [];
  readonly #plugins: ReadonlyMap<string, Plugin>;
  readonly #machines: { machine(configuration: MachineConfiguration): Machine };

  constructor(plugins: ReadonlyMap<string, Plugin>, machines: { machine(configuration: MachineConfiguration): Machine }) {
    this.#plugins = plugins;
    this.#machines = machines;
  }

  machine(configuration: MachineConfiguration, path: string): Machine | undefined {
    try {
      return this.#machines.machine(configuration);
    } catch (error) {
      this.faults.push({ path, message: toVbsError(error).message });
      return undefined;
    }
  }

  instance<K extends ContractKind>(kind: K, configuration: InstanceConfiguration, machine: Machine | undefined): PreparedInstance<K>[] {
    const plugin = this.#plugins.get(configuration.plugin);
    if (plugin === undefined) {
      const loaded = [...this.#plugins.keys()];
      const meant = nearest(configuration.plugin, loaded);
      const hint =
        meant === undefined
          ? `loaded are: ${loaded.join(', ') || 'none'}. Name its package or path under plugins`
          : `did you mean ${meant}?`;
      this.faults.push({ path: pointer(configuration.path, 'plugin'), message: `no plugin ${configuration.plugin} is loaded; ${hint}` });
      return [];
    }
    // Its fault is noted already.
    if (machine === undefined) return [];
    try {
      const preparation = prepareInstance(plugin, kind, configuration, machine);
      if ('prepared' in preparation) return [preparation.prepared];
      this.faults.push(...preparation.faults);
    } catch (error) {
      this.failures.push({ name: configuration.name, path: configuration.path, error: toVbsError(error) });
    }
    return [];
  }

  instances<K extends ContractKind>(
    kind: K,
    configurations: Readonly<Record<string, InstanceConfiguration>>,
    machine: Machine | undefined,
  ): PreparedInstance<K>[] {
    return Object.values(configurations).flatMap((configuration) => this.instance(kind, configuration, machine));
  }
}

/**
 * Prepares every instance of a configuration, without effect outside.
 * @throws CONFIG_INVALID: `context.faults` lists every fault of every instance. PLUGIN_INVALID: a plugin's schema alone is wrong.
 */
export function planInstances(
  { volumeServers, vmmNodes, resolvers }: Configuration,
  plugins: ReadonlyMap<string, Plugin>,
  machines: { machine(configuration: MachineConfiguration): Machine },
): Plan {
  const planner = new Planner(plugins, machines);
  const servers = Object.entries(volumeServers).flatMap(([name, server]) => {
    const machine = planner.machine(server.machine, pointer('/volumeServers', name, 'machine'));
    const backends = planner.instances('volumeBackend', server.backends, machine);
    const exporters = planner.instances('targetExporter', server.exporters, machine);
    return machine === undefined ? [] : [{ name, machine, backends, exporters }];
  });
  const nodes = Object.entries(vmmNodes).flatMap(([name, node]) => {
    const machine = planner.machine(node.machine, pointer('/vmmNodes', name, 'machine'));
    const initiators = planner.instances('initiator', node.initiators, machine);
    const [hypervisor] = planner.instance('hypervisor', node.hypervisor, machine);
    return machine === undefined || hypervisor === undefined ? [] : [{ name, hostnames: node.hostnames, machine, initiators, hypervisor }];
  });
  // A resolver speaks to a cloud; its tools run here.
  const here = Object.keys(resolvers).length === 0 ? undefined : planner.machine('local', '/resolvers');
  const plan = { servers, nodes, resolvers: planner.instances('cloudResolver', resolvers, here) };

  if (planner.faults.length > 0 || planner.failures.length > 0) throw startFailure(planner.faults, planner.failures);
  return plan;
}
