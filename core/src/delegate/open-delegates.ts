import { randomUUID } from 'node:crypto';
import type { Configuration, MachineConfiguration } from '../config/configuration.js';
import type { Call, Logger } from '../contract/call.js';
import type { ContractKind } from '../contract/method-facts.js';
import { toVbsError } from '../errors.js';
import type { Machine } from '../machine/machine.js';
import type { Plugin } from '../plugin/define-plugin.js';
import type { LayerOptions } from '../plugin/layers/index.js';
import { openPrepared } from '../plugin/open-instance.js';
import type { OpenedInstance } from '../plugin/opened-instance.js';
import type { PreparedInstance } from '../plugin/prepare-instance.js';
import { closeInstances } from './close-instances.js';
import type { Delegates, OpenedExporter, VmmDelegate, VolumeDelegate } from './delegate.js';
import { networkFaults } from './open-network.js';
import type { Plan } from './plan-instances.js';
import { planInstances } from './plan-instances.js';
import type { InstanceFailure } from './start-failure.js';
import { startFailure } from './start-failure.js';

/** What opening everything needs beside the configuration and the plugins. */
export interface DelegateServices extends Pick<LayerOptions, 'graceMs' | 'retry' | 'onCall'> {
  readonly machines: { machine(configuration: MachineConfiguration): Machine };
  readonly store: { readonly id: string; readonly knownPools: ReadonlySet<string> };
  readonly log: Logger;
  /** Where this process's server answers, for processes that find an instance owned by this one. */
  readonly endpoint?: string;
  /** How long the opening of one instance may take, in milliseconds; 30,000 unless told. */
  readonly openLimitMs?: number;
  /** How long the closing of one instance may take, in milliseconds; 2,500 unless told. */
  readonly closeLimitMs?: number;
}

export interface OpenedDelegates extends Delegates {
  /** The backends that were opened, whose pools the store knows from now on (safety D1). */
  readonly openedBackends: readonly string[];
}

const usualCloseLimitMs = 2_500;

/** The instances that were opened, by how they were planned. */
class Opened {
  readonly all: OpenedInstance[] = [];
  readonly #byPlan = new Map<unknown, OpenedInstance>();

  async open(
    prepared: PreparedInstance,
    { stateDirectory, baseDirectory }: Configuration,
    services: DelegateServices,
  ): Promise<readonly InstanceFailure[]> {
    const { store, openLimitMs, ...options } = services;
    const { name, path } = prepared.configuration;
    try {
      const instance = await openPrepared(prepared, {
        ...options,
        name,
        stateDirectory,
        baseDirectory,
        store: { id: store.id, knowsPool: store.knownPools.has(name) },
        ...(openLimitMs === undefined ? {} : { lifecycleLimitMs: openLimitMs }),
      });
      this.all.push(instance);
      this.#byPlan.set(prepared, instance);
      return [];
    } catch (error) {
      return [{ name, path, error: toVbsError(error) }];
    }
  }

  of<K extends ContractKind>(prepared: PreparedInstance<K>): OpenedInstance<K> {
    const instance = this.#byPlan.get(prepared);
    if (instance === undefined) throw new TypeError(`${prepared.configuration.name} is not open`);
    // `open` put it there for a plan of this kind.
    return instance as unknown as OpenedInstance<K>;
  }

  exporter(prepared: PreparedInstance<'targetExporter'>): OpenedExporter {
    return { ...this.of(prepared), openNetwork: prepared.configuration.openNetwork };
  }
}

function byName<T extends { readonly name: string }>(items: readonly T[]): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [item.name, item]));
}

function volumeDelegates(plan: Plan, opened: Opened): readonly VolumeDelegate[] {
  return plan.servers.map(({ name, machine, backends, exporters }) => ({
    name,
    machine,
    backends: byName(backends.map((prepared) => ({ ...opened.of(prepared), isDefault: prepared.configuration.default }))),
    exporters: byName(exporters.map((prepared) => opened.exporter(prepared))),
  }));
}

function vmmDelegates(plan: Plan, opened: Opened): readonly VmmDelegate[] {
  return plan.nodes.map(({ name, hostnames, machine, initiators, hypervisor }) => {
    const ownBoot = randomUUID();
    return {
      name,
      machine,
      hostnames,
      initiators: byName(initiators.map((prepared) => opened.of(prepared))),
      hypervisor: opened.of(hypervisor),
      bootId: async (call: Call) => (hypervisor.provider.lifetime === 'process' ? ownBoot : machine.bootId(call)),
    };
  });
}

/**
 * Opens every instance that the configuration names, all at once. What is not configured is simply not there; what cannot be
 * opened ends the start, and what was opened before is closed again.
 * @throws CONFIG_INVALID: `context.faults` lists the faults of all instances; those of the configuration are told before anything
 * is opened. Where one instance alone could not be opened, its own error.
 */
export async function openDelegates(
  configuration: Configuration,
  plugins: ReadonlyMap<string, Plugin>,
  services: DelegateServices,
): Promise<OpenedDelegates> {
  const plan = planInstances(configuration, plugins, services.machines);
  const exporters = plan.servers.flatMap((server) => server.exporters);
  const backends = plan.servers.flatMap((server) => server.backends);
  const planned: readonly PreparedInstance[] = [
    ...backends,
    ...exporters,
    ...plan.nodes.flatMap((node) => [...node.initiators, node.hypervisor]),
    ...plan.resolvers,
  ];
  const closeLimitMs = services.closeLimitMs ?? usualCloseLimitMs;
  const opened = new Opened();
  const failures = (await Promise.all(planned.map((prepared) => opened.open(prepared, configuration, services)))).flat();
  const failed = new Set(failures.map(({ path }) => path));
  const openNetworks = exporters
    .filter((prepared) => !failed.has(prepared.configuration.path))
    .flatMap((prepared) => networkFaults(opened.exporter(prepared), prepared.configuration.path));

  if (failures.length > 0 || openNetworks.length > 0) {
    await closeInstances(opened.all, closeLimitMs).catch((error: unknown) => {
      services.log.error({ error: toVbsError(error).toJSON() }, 'not all that was opened before a failed start could be closed');
    });
    throw startFailure(openNetworks, failures);
  }

  let closed: Promise<void> | undefined;
  return {
    volumeServers: byName(volumeDelegates(plan, opened)),
    vmmNodes: byName(vmmDelegates(plan, opened)),
    resolvers: byName(plan.resolvers.map((prepared) => opened.of(prepared))),
    openedBackends: backends.map((prepared) => prepared.configuration.name),
    close: () => {
      closed ??= closeInstances(opened.all, closeLimitMs);
      return closed;
    },
  };
}
