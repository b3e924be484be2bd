import type { Call } from '../contract/call.js';
import type { CloudResolver, CloudResolverCapability } from '../contract/cloud-resolver.js';
import type { Hypervisor, HypervisorCapability } from '../contract/hypervisor.js';
import type { Initiator, InitiatorCapability } from '../contract/initiator.js';
import type { ContractKind } from '../contract/method-facts.js';
import type { TargetExporter, TargetExporterCapability, TargetExporterTraits } from '../contract/target-exporter.js';
import type { VolumeBackend, VolumeBackendCapability, VolumeBackendTraits } from '../contract/volume-backend.js';
import type { ErasedCloudResolver, ErasedHypervisor, ErasedInitiator, ErasedTargetExporter, ErasedVolumeBackend } from './define-plugin.js';
import type { WithLifetime } from './lifetime.js';

/** Each kind: its contract with every capability's methods, its capability names, its provider, its traits. */
export interface ContractTypes {
  volumeBackend: {
    contract: VolumeBackend<VolumeBackendCapability>;
    capability: VolumeBackendCapability;
    provider: ErasedVolumeBackend;
    traits: VolumeBackendTraits;
  };
  targetExporter: {
    contract: TargetExporter<TargetExporterCapability>;
    capability: TargetExporterCapability;
    provider: WithLifetime<ErasedTargetExporter>;
    traits: TargetExporterTraits;
  };
  initiator: { contract: Initiator<InitiatorCapability>; capability: InitiatorCapability; provider: ErasedInitiator; traits: object };
  hypervisor: {
    contract: Hypervisor<HypervisorCapability>;
    capability: HypervisorCapability;
    provider: WithLifetime<ErasedHypervisor>;
    traits: object;
  };
  cloudResolver: {
    contract: CloudResolver<CloudResolverCapability>;
    capability: CloudResolverCapability;
    provider: ErasedCloudResolver;
    traits: object;
  };
}

/** A configured instance, open, behind its layers. */
export interface OpenedInstance<K extends ContractKind = ContractKind> {
  readonly name: string;
  readonly kind: K;
  readonly pluginName: string;
  readonly provider: ContractTypes[K]['provider'];
  /** What this instance has, after it and the configuration narrowed the provider's. */
  readonly capabilities: ReadonlySet<ContractTypes[K]['capability']>;
  readonly traits: ContractTypes[K]['traits'];
  /** Every method of the contract, layered; one whose capability is not declared rejects with UNSUPPORTED. */
  readonly contract: ContractTypes[K]['contract'];
  /**
   * False when another process owns this instance, whose lifetime is `process` (safety F1): it was not opened here, and every
   * method rejects with FAILED_PRECONDITION that names the owner.
   */
  readonly ownedHere: boolean;
  /** A sentence for each tool, daemon or permission that is missing. */
  check(call: Call): Promise<readonly string[]>;
  close(): Promise<void>;
}
