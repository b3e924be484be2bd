import type { ContractKind, MethodFacts } from '../contract/method-facts.js';
import { methodFacts } from '../contract/method-facts.js';
import { neededCapability } from './known-capabilities.js';
import type { ContractTypes } from './opened-instance.js';

type Opened = Readonly<Record<string, unknown>>;

function isCount(value: unknown, least: number): value is number {
  return Number.isSafeInteger(value) && Number(value) >= least;
}

function backendFaults({ granularityBytes, snapshotKind }: Opened, capabilities: ReadonlySet<string>): string[] {
  const hasSnapshot = capabilities.has('snapshot');
  const snapshotFits = hasSnapshot ? snapshotKind === 'independent' || snapshotKind === 'needs-volume' : snapshotKind === undefined;
  return [
    ...(isCount(granularityBytes, 1) ? [] : ['granularityBytes must be a whole number of bytes, at least 1']),
    ...(snapshotFits
      ? []
      : [`snapshotKind must be ${hasSnapshot ? "'independent' or 'needs-volume'" : 'absent'}, as the capability snapshot is`]),
  ];
}

function exporterFaults({ addresses, reach }: Opened): string[] {
  const reachFaults = reach === 'loopback' || reach === 'network' ? [] : ["reach must be 'loopback' or 'network'"];
  if (addresses === undefined) return reachFaults;
  const { space, first, last } = (typeof addresses === 'object' && addresses !== null ? addresses : {}) as Opened;
  const fits = typeof space === 'string' && space !== '' && isCount(first, 0) && isCount(last, first);
  if (fits) return reachFaults;
  return [...reachFaults, 'addresses must have a space (text) and first and last, whole numbers with first not above last'];
}

function isSet(value: unknown): value is ReadonlySet<unknown> {
  return value instanceof Set;
}

function narrowingFaults(provided: readonly string[], narrowed: unknown): string[] {
  if (narrowed === undefined) return [];
  if (!isSet(narrowed)) return ['capabilities must be a Set'];
  const more = [...narrowed].filter((capability) => !provided.some((known) => known === capability));
  return more.length === 0 ? [] : [`capabilities has ${more.join(', ')}, which the manifest does not declare`];
}

/** The capabilities that an instance declares: its own, where it narrows, or its provider's. */
export function declaredCapabilities(provided: readonly string[], opened: object): ReadonlySet<string> {
  const narrowed: unknown = Reflect.get(opened, 'capabilities');
  return new Set(isSet(narrowed) ? provided.filter((capability) => narrowed.has(capability)) : provided);
}

/** Capabilities without the withdrawn ones and those that are worth nothing without them. */
export function withoutWithdrawn(kind: ContractKind, declared: ReadonlySet<string>, withdrawn: ReadonlySet<string>): ReadonlySet<string> {
  const kept = new Set([...declared].filter((capability) => !withdrawn.has(capability)));
  return new Set(
    [...kept].filter((capability) => {
      const needed = neededCapability(kind, capability);
      return needed === null || kept.has(needed);
    }),
  );
}

/** What an opened instance lacks of what its manifest and its capabilities promise, a sentence each. */
export function openedFaults(kind: ContractKind, provided: readonly string[], value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return ['open must answer an object with the methods of the contract'];
  const opened = value as Opened;
  const capabilities = declaredCapabilities(provided, opened);
  const facts: Readonly<Record<string, MethodFacts>> = methodFacts[kind];
  const methodFaults = Object.entries(facts).flatMap(([method, { needs }]) => {
    if ((needs !== undefined && !capabilities.has(needs)) || typeof opened[method] === 'function') return [];
    return [`the method ${method} is missing${needs === undefined ? '' : `, to which the capability ${needs} obliges`}`];
  });
  const lifecycleFaults = ['check', 'close'].flatMap((method) =>
    opened[method] === undefined || typeof opened[method] === 'function' ? [] : [`${method} must be a method or absent`],
  );
  const traitFaults =
    kind === 'volumeBackend' ? backendFaults(opened, capabilities) : kind === 'targetExporter' ? exporterFaults(opened) : [];
  return [...narrowingFaults(provided, opened.capabilities), ...methodFaults, ...lifecycleFaults, ...traitFaults];
}

/** The traits of an opened instance, as far as its capabilities (after withdrawal) leave them. */
export function traitsOf<K extends ContractKind>(kind: K, opened: object, capabilities: ReadonlySet<string>): ContractTypes[K]['traits'] {
  const { granularityBytes, snapshotKind, addresses, reach } = opened as Opened;
  const traits: Readonly<Record<ContractKind, object>> = {
    volumeBackend: { granularityBytes, ...(capabilities.has('snapshot') ? { snapshotKind } : {}) },
    targetExporter: { reach, ...(addresses === undefined ? {} : { addresses }) },
    initiator: {},
    hypervisor: {},
    cloudResolver: {},
  };
  // openedFaults found them to be what the contract says.
  return traits[kind] as ContractTypes[K]['traits'];
}
