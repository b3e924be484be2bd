import type { ContractKind } from '../contract/method-facts.js';
import { methodFacts } from '../contract/method-facts.js';
import type { Plugin } from './define-plugin.js';
import { knownCapabilities, neededCapability } from './known-capabilities.js';
import { isLifetime } from './lifetime.js';

/** The versions of the plugin interface that this core speaks. */
export const apiVersions: readonly number[] = [1];
/** The protocols whose connections the core's own contract describes. */
const knownProtocols: readonly string[] = ['iscsi', 'aoe', 'nbd'];
const legalName = /^[a-z0-9][a-z0-9._-]{0,63}$/;

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== '');
}

function namesFault(provider: Fields, field: string, atLeast: 0 | 1): string[] {
  const value = provider[field];
  if (isNames(value) && value.length >= atLeast && new Set(value).size === value.length) return [];
  return [`${field} must be a list of ${atLeast === 1 ? 'at least one name' : 'names'}, each once`];
}

function oneOfFault(provider: Fields, field: string, legal: readonly string[]): string[] {
  return legal.some((value) => value === provider[field]) ? [] : [`${field} must be ${legal.map((value) => `'${value}'`).join(' or ')}`];
}

function protocolFaults({ protocol, connectionSchema }: Fields, describes: boolean): string[] {
  if (typeof protocol !== 'string' || protocol === '') return ['protocol must be a name'];
  if (connectionSchema !== undefined && !isFields(connectionSchema)) return ['connectionSchema must be a JSON Schema'];
  if (!describes || connectionSchema !== undefined || knownProtocols.includes(protocol)) return [];
  return [`protocol '${protocol}' is none of the core's (${knownProtocols.join(', ')}): connectionSchema must describe its connections`];
}

function capabilityFaults(kind: ContractKind, { capabilities }: Fields): string[] {
  if (!isNames(capabilities)) return ['capabilities must be a list of names'];
  const legal = knownCapabilities(kind);
  return capabilities.flatMap((capability, index) => {
    if (!legal.includes(capability)) return [`capability '${capability}' is none of this kind: ${legal.join(', ')}`];
    if (capabilities.indexOf(capability) !== index) return [`capability '${capability}' stands twice`];
    const needed = neededCapability(kind, capability);
    return needed === null || capabilities.includes(needed) ? [] : [`capability '${capability}' needs '${needed}' beside it`];
  });
}

function lifetimeFaults({ lifetime }: Fields): string[] {
  if (typeof lifetime === 'function' || isLifetime(lifetime)) return [];
  return ["lifetime must be 'process' or 'daemon', or a function of the configuration that answers one of them"];
}

/** What each kind declares beside what all declare. */
const ownFaults: { readonly [K in ContractKind]: (provider: Fields) => string[] } = {
  volumeBackend: (provider) => namesFault(provider, 'locators', 1),
  targetExporter: (provider) => [...protocolFaults(provider, true), ...namesFault(provider, 'accepts', 1), ...lifetimeFaults(provider)],
  initiator: (provider) => protocolFaults(provider, false),
  hypervisor: (provider) => [...namesFault(provider, 'opens', 0), ...lifetimeFaults(provider)],
  cloudResolver: () => [],
};

function providerFaults(kind: ContractKind, provider: unknown): string[] {
  if (!isFields(provider)) return ['must be an object'];
  const { commands, open } = provider;
  const commandsFit = commands === undefined || (isFields(commands) && Object.values(commands).every((text) => typeof text === 'string'));
  return [
    ...configSchemaFaults(provider),
    ...capabilityFaults(kind, provider),
    ...oneOfFault(provider, 'machine', ['any', 'local']),
    ...(commandsFit ? [] : ['commands must be patterns (text) by name']),
    ...(typeof open === 'function' ? [] : ['open must be a function']),
    ...ownFaults[kind](provider),
  ];
}

const compositions = ['$ref', '$dynamicRef', 'allOf', 'anyOf', 'oneOf'];

/** A schema that describes an object itself says that it knows all of its keys; one that only refers to others leaves that to them. */
function configSchemaFaults({ configSchema }: Fields): string[] {
  if (!isFields(configSchema)) return ['configSchema must be a JSON Schema'];
  if (configSchema.additionalProperties === false || configSchema.unevaluatedProperties === false) return [];
  const describes = 'type' in configSchema || 'properties' in configSchema || !compositions.some((keyword) => keyword in configSchema);
  return describes
    ? ['configSchema must say additionalProperties: false (or unevaluatedProperties: false), or misspelt keys would be swallowed']
    : [];
}

function isKind(name: string): name is ContractKind {
  return Object.hasOwn(methodFacts, name);
}

/** What is wrong with a manifest, a sentence each; none when it is a {@link Plugin} of a version that this core speaks. */
export function manifestFaults(manifest: unknown): readonly string[] {
  if (!isFields(manifest)) return ['the manifest must be an object, as definePlugin answers it'];
  const { name, apiVersion, provides } = manifest;
  // What another version means by the other fields is not known here.
  if (!apiVersions.some((version) => version === apiVersion)) {
    return [`apiVersion is ${JSON.stringify(apiVersion) ?? 'missing'}; this core speaks ${apiVersions.join(', ')}`];
  }
  const nameFaults =
    typeof name === 'string' && legalName.test(name)
      ? []
      : ['name must be of lower case letters, digits, dots, hyphens and underscores, at most 64'];
  if (!isFields(provides)) return [...nameFaults, 'provides must be an object of providers by kind'];
  const kinds = Object.entries(provides).filter(([, provider]) => provider !== undefined);
  return [
    ...nameFaults,
    ...(kinds.length === 0 ? ['provides nothing'] : []),
    ...kinds.flatMap(([kind, provider]) =>
      isKind(kind)
        ? providerFaults(kind, provider).map((fault) => `provides.${kind}: ${fault}`)
        : [`provides.${kind}: no such kind; the kinds are ${Object.keys(methodFacts).join(', ')}`],
    ),
  ];
}

/** Whether a value is a manifest that this core can use. */
export function isPlugin(value: unknown): value is Plugin {
  return manifestFaults(value).length === 0;
}
