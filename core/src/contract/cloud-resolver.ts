import type { Call } from './call.js';
import type { WithCapabilities } from './capabilities.js';

/** Where an instance runs: the VMM host's name and the VM's id as that node's hypervisor takes it. */
export interface InstancePlace {
  readonly instanceId: string;
  readonly vmmHost: string;
  readonly vmId: string;
}

/** The methods that every resolver has. */
export interface CloudResolverBase {
  /**
   * @throws NOT_FOUND: the cloud does not know the instance, or it was terminated (`context.reason`: unknown, terminated).
   * @throws FAILED_PRECONDITION: it is not placed on a host yet.
   */
  resolveInstance(call: Call, request: { readonly instanceId: string }): Promise<InstancePlace>;
}

/** Capability → the methods that it obliges a resolver to have. */
export interface CloudResolverCapabilities {
  list: { listInstances(call: Call): Promise<readonly InstancePlace[]> };
}
export type CloudResolverCapability = keyof CloudResolverCapabilities & string;

/** A cloud's instance id becomes a VMM host and a VM id. */
export type CloudResolver<C extends CloudResolverCapability = never> = WithCapabilities<CloudResolverBase, CloudResolverCapabilities, C>;
