import type { CloudResolver, CloudResolverCapability } from './cloud-resolver.js';
import type { Hypervisor, HypervisorCapability } from './hypervisor.js';
import type { Initiator, InitiatorCapability } from './initiator.js';
import type { TargetExporter, TargetExporterCapability } from './target-exporter.js';
import type { VolumeBackend, VolumeBackendCapability } from './volume-backend.js';

/** What one method of a contract is, as data: layers, delegates, the conformance kit and the docs read it. */
export interface MethodFacts<C extends string = string> {
  /** The capability that obliges to the method; without it every plugin has the method. */
  readonly needs?: C;
  /** The time limit of a call in milliseconds; configurable for each instance. */
  readonly timeLimitMs: number;
  /** `idle`: the limit counts from the last reported progress, for work whose length depends on the amount of bytes. */
  readonly limitCounts?: 'idle';
  /** It answers a list and changes nothing. */
  readonly lists?: true;
  /** It changes nothing. */
  readonly reads?: true;
}

type MethodNames<T> = { [K in keyof T]-?: T[K] extends (call: never, ...request: never[]) => Promise<unknown> ? K : never }[keyof T] &
  string;
export type ContractFacts<T, C extends string> = { readonly [K in MethodNames<T>]: MethodFacts<C> };

const second = 1_000;
const changes = { timeLimitMs: 60 * second } as const;
const reads = { timeLimitMs: 20 * second, reads: true } as const;
const lists = { timeLimitMs: 20 * second, reads: true, lists: true } as const;
const copies = { timeLimitMs: 120 * second, limitCounts: 'idle' } as const;

/** Every method of every contract; a method that is missing here does not compile. */
export const methodFacts = {
  volumeBackend: {
    createVolume: copies,
    deleteVolume: copies,
    listVolumes: lists,
    getCapacity: reads,
    markEpoch: changes,
    createSnapshot: { ...copies, needs: 'snapshot' },
    deleteSnapshot: { ...copies, needs: 'snapshot' },
    listSnapshots: { ...lists, needs: 'snapshot' },
    populateVolume: { ...copies, needs: 'snapshot' },
    cloneVolume: { ...changes, needs: 'instant-clone' },
    extendVolume: { ...copies, needs: 'extend' },
  } satisfies ContractFacts<VolumeBackend<VolumeBackendCapability>, VolumeBackendCapability>,
  targetExporter: {
    createExport: changes,
    deleteExport: changes,
    listExports: lists,
    ensureExports: copies,
    revokeAccess: { ...changes, needs: 'fence' },
    extendExport: { ...changes, needs: 'extend' },
  } satisfies ContractFacts<TargetExporter<TargetExporterCapability>, TargetExporterCapability>,
  initiator: {
    getIdentity: reads,
    connect: changes,
    disconnect: changes,
    listConnections: lists,
    extendConnection: { ...changes, needs: 'extend' },
  } satisfies ContractFacts<Initiator<InitiatorCapability>, InitiatorCapability>,
  hypervisor: {
    identifyVm: reads,
    canonicalSlot: reads,
    attachDevice: changes,
    detachDevice: changes,
    listDevices: lists,
    freezeVm: { ...changes, needs: 'freeze' },
    thawVm: { ...changes, needs: 'freeze' },
    getIdentity: { ...reads, needs: 'identity' },
    extendDevice: { ...changes, needs: 'extend' },
  } satisfies ContractFacts<Hypervisor<HypervisorCapability>, HypervisorCapability>,
  cloudResolver: {
    resolveInstance: reads,
    listInstances: { ...lists, needs: 'list' },
  } satisfies ContractFacts<CloudResolver<CloudResolverCapability>, CloudResolverCapability>,
} as const;

/** The kinds of instance that a plugin may provide. */
export type ContractKind = keyof typeof methodFacts;
