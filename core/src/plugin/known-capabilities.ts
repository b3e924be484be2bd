import type { ContractKind } from '../contract/method-facts.js';
import type { ContractTypes } from './opened-instance.js';

/** For each capability of each kind the one that it is worth nothing without, or null; one that is missing does not compile. */
const needed = {
  volumeBackend: { snapshot: null, 'live-snapshot': 'snapshot', 'instant-clone': 'snapshot', extend: null, thin: null },
  targetExporter: { 'read-only': null, 'multi-attach': null, chap: null, acl: null, tls: null, fence: null, extend: null },
  initiator: { extend: null },
  hypervisor: { hotplug: null, 'read-only': null, freeze: null, identity: null, extend: null },
  cloudResolver: { list: null },
} as const satisfies {
  [K in ContractKind]: Record<ContractTypes[K]['capability'], ContractTypes[K]['capability'] | null>;
};

/** The capability names that a kind has, in the order of the contract. */
export function knownCapabilities(kind: ContractKind): readonly string[] {
  return Object.keys(needed[kind]);
}

/** The capability that this one is worth nothing without, if there is one. */
export function neededCapability(kind: ContractKind, capability: string): string | null {
  const table: Readonly<Record<string, string | null>> = needed[kind];
  return table[capability] ?? null;
}
