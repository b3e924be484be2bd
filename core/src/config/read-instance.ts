import type { ContractKind } from '../contract/method-facts.js';
import type { CommandOverride, InstanceConfiguration } from './configuration.js';
import { pointer } from './fault.js';
import { entriesOf, isPlainObject, own } from './plain-data.js';
import { resolveSecrets, type SecretSources } from './secrets.js';

/** The keys of an instance that belong to the core. */
export const reservedKeys = ['plugin', 'default', 'openNetwork', 'commands', 'timeLimits'] as const;
const reserved: ReadonlySet<string> = new Set(reservedKeys);

function commandOverrides(value: unknown): Readonly<Record<string, CommandOverride>> {
  const overrides = entriesOf(value).map(([name, given]): [string, CommandOverride] => {
    if (typeof given === 'string') return [name, { pattern: given, withdraws: [] }];
    const withdraws = own(given, 'withdraws');
    return [name, { pattern: String(own(given, 'pattern')), withdraws: Array.isArray(withdraws) ? withdraws.map(String) : [] }];
  });
  return Object.fromEntries(overrides);
}

function timeLimits(value: unknown): Readonly<Record<string, number>> {
  return Object.fromEntries(entriesOf(value).map(([method, limit]) => [method, Number(limit)]));
}

/** What stands at `path` as an instance: the core's keys taken apart, the plugin's own with their secrets. Shapes are the schema's to check. */
export async function readInstance(
  value: unknown,
  kind: ContractKind,
  place: { readonly name: string; readonly path: string },
  sources: SecretSources,
): Promise<InstanceConfiguration> {
  const isDefault = own(value, 'default') === true;
  const openNetwork = own(value, 'openNetwork') === true;
  if (isDefault && kind !== 'volumeBackend')
    sources.faults.push({ path: pointer(place.path, 'default'), message: 'only a backend can be the default' });
  if (openNetwork && kind !== 'targetExporter')
    sources.faults.push({ path: pointer(place.path, 'openNetwork'), message: 'only an exporter can be open to the network' });
  const ownKeys = Object.fromEntries(entriesOf(value).filter(([key]) => !reserved.has(key)));
  const config = await resolveSecrets(ownKeys, place.path, sources);
  return {
    ...place,
    plugin: String(own(value, 'plugin')),
    default: isDefault,
    openNetwork,
    commands: commandOverrides(own(value, 'commands')),
    timeLimits: timeLimits(own(value, 'timeLimits')),
    config: isPlainObject(config) ? config : {},
  };
}
