import type { CommandSet } from '../command/command-set.js';
import { applyOverrides } from '../command/overrides.js';
import type { InstanceConfiguration } from '../config/configuration.js';
import type { ConfigurationFault } from '../config/fault.js';
import { validateInstanceConfig } from '../config/validate-instance-config.js';
import type { ContractKind } from '../contract/method-facts.js';
import type { LocalMachine, Machine } from '../machine/machine.js';
import type { Plugin, Provides } from './define-plugin.js';
import { withLifetime } from './lifetime.js';
import type { ContractTypes } from './opened-instance.js';

/** An instance whose configuration was found right, ready to be opened. */
export interface PreparedInstance<K extends ContractKind = ContractKind> {
  readonly kind: K;
  readonly pluginName: string;
  /** The plugin's own; where its lifetime goes by the configuration, with that of this instance. */
  readonly provider: ContractTypes[K]['provider'];
  readonly configuration: InstanceConfiguration;
  readonly machine: Machine;
  /** The plugin's own keys, validated and completed by its schema. */
  readonly config: unknown;
  readonly commands: CommandSet;
  /** The capabilities that the configuration's commands do without. */
  readonly withdrawn: ReadonlySet<string>;
}

export type Preparation<K extends ContractKind> =
  | { readonly prepared: PreparedInstance<K> }
  | { readonly faults: readonly ConfigurationFault[] };

function isLocal(machine: Machine): machine is LocalMachine {
  return 'guarded' in machine;
}

function providerOf<K extends ContractKind>(plugin: Plugin, kind: K): Provides[K] | undefined {
  const { provides }: { readonly provides: Provides } = plugin;
  return provides[kind];
}

/**
 * Looks at everything about an instance that can be wrong before it is opened, without effect.
 * @throws PLUGIN_INVALID: the provider's schema is not legal, or it cannot say how long this instance lives.
 */
export function prepareInstance<K extends ContractKind>(
  plugin: Plugin,
  kind: K,
  configuration: InstanceConfiguration,
  machine: Machine,
): Preparation<K> {
  const { path } = configuration;
  const provider = providerOf(plugin, kind);
  if (provider === undefined) {
    const kinds = Object.keys(plugin.provides).join(', ');
    return { faults: [{ path: `${path}/plugin`, message: `the plugin ${plugin.name} provides no ${kind}; it provides ${kinds}` }] };
  }
  const machineFaults =
    provider.machine === 'local' && !isLocal(machine)
      ? [
          {
            path,
            message: `the plugin ${plugin.name} works only on the machine of this process; set machine: local in place of ${machine.name}`,
          },
        ]
      : [];
  const { config, faults: configFaults } = validateInstanceConfig(provider.configSchema, configuration);
  const {
    commands,
    withdrawn,
    faults: commandFaults,
  } = applyOverrides(provider.commands ?? {}, configuration.commands, {
    path,
    capabilities: provider.capabilities,
  });
  const faults = [...machineFaults, ...configFaults, ...commandFaults];
  if (faults.length > 0) return { faults };
  // The same provider, of the same kind: only its lifetime may have become a value.
  const resolved = withLifetime(provider, config, plugin.name, path) as ContractTypes[K]['provider'];
  return {
    prepared: { kind, pluginName: plugin.name, provider: resolved, configuration, machine, config, commands, withdrawn },
  };
}
