import type { CommandSet } from '../command/command-set.js';
import type { Call } from '../contract/call.js';
import type { CloudResolver, CloudResolverCapability } from '../contract/cloud-resolver.js';
import type { LocatorKind, Protocol } from '../contract/connection.js';
import type { Hypervisor, HypervisorCapability } from '../contract/hypervisor.js';
import type { Initiator, InitiatorCapability } from '../contract/initiator.js';
import type { TargetExporter, TargetExporterCapability, TargetExporterTraits } from '../contract/target-exporter.js';
import type { VolumeBackend, VolumeBackendCapability, VolumeBackendTraits } from '../contract/volume-backend.js';
import type { Instance, Lifecycle, Lifetime, MachineKind } from './instance.js';
import type { Schema } from './schema.js';

/**
 * How long what an instance makes lives: the same for all, or a function of the instance's configuration, validated and
 * completed by the schema. The function is asked once, before the instance is opened; it must be quick and without effect.
 */
export type LifetimeBy<Config> = Lifetime | ((config: NoInfer<Config>) => Lifetime);

/** What every provider declares: `open` is called once for each configured instance, and may take its time. */
interface ProviderBase<Contract, Config, C extends string, M extends MachineKind, S extends CommandSet> {
  /** Of the instance's own keys; keys that the core owns (plugin, default, commands, timeLimits) are not in it. */
  readonly configSchema: Schema<Config>;
  readonly capabilities: readonly C[];
  /** `local`: it uses node:fs or node:net itself, and works only on the machine of this process. */
  readonly machine: M;
  /** The plugin's command patterns, which the configuration may replace. */
  readonly commands?: S;
  /**
   * The call is for the tools that it needs; it changes nothing but its pool's mark.
   * @throws FAILED_PRECONDITION: the pool is another store's. UNAVAILABLE: the store knows the pool, and its mark is not there.
   */
  open(instance: Instance<Config, M, S>, call: Call): Promise<NoInfer<Contract & Lifecycle<C>>>;
}

export interface VolumeBackendProvider<
  Config,
  C extends VolumeBackendCapability,
  L extends LocatorKind,
  M extends MachineKind,
  S extends CommandSet,
> extends ProviderBase<VolumeBackend<C, L> & VolumeBackendTraits, Config, C, M, S> {
  readonly locators: readonly L[];
}

export interface TargetExporterProvider<
  Config,
  C extends TargetExporterCapability,
  P extends Protocol,
  L extends LocatorKind,
  M extends MachineKind,
  S extends CommandSet,
> extends ProviderBase<TargetExporter<C, P, L> & TargetExporterTraits, Config, C, M, S> {
  readonly protocol: P;
  readonly accepts: readonly L[];
  /** `process`: its exports end with this process (safety F1). */
  readonly lifetime: LifetimeBy<Config>;
  /** Needed when the protocol is the plugin's own. Secret fields are marked `writeOnly`. */
  readonly connectionSchema?: Schema<unknown>;
}

export interface InitiatorProvider<Config, C extends InitiatorCapability, P extends Protocol, M extends MachineKind, S extends CommandSet>
  extends ProviderBase<Initiator<C, P>, Config, C, M, S> {
  readonly protocol: P;
}

export interface HypervisorProvider<Config, C extends HypervisorCapability, P extends Protocol, M extends MachineKind, S extends CommandSet>
  extends ProviderBase<Hypervisor<C>, Config, C, M, S> {
  /** The protocols that it opens itself; a block device it always takes. */
  readonly opens: readonly P[];
  /** `process`: the VMs that it has end with this process (safety F1). */
  readonly lifetime: LifetimeBy<Config>;
}

export interface CloudResolverProvider<Config, C extends CloudResolverCapability, M extends MachineKind, S extends CommandSet>
  extends ProviderBase<CloudResolver<C>, Config, C, M, S> {}

/** A provider whose own types are forgotten: `never` as its configuration means that only the loader, after validation, may open it. */
interface ErasedProvider<Contract, C extends string> {
  readonly configSchema: Schema<never>;
  readonly capabilities: readonly C[];
  readonly machine: MachineKind;
  readonly commands?: CommandSet;
  open(instance: Instance<never, 'local', never>, call: Call): Promise<Contract & Lifecycle<C>>;
}

export interface ErasedVolumeBackend extends ErasedProvider<VolumeBackend & VolumeBackendTraits, VolumeBackendCapability> {
  readonly locators: readonly LocatorKind[];
}
export interface ErasedTargetExporter extends ErasedProvider<TargetExporter & TargetExporterTraits, TargetExporterCapability> {
  readonly protocol: Protocol;
  readonly accepts: readonly LocatorKind[];
  readonly lifetime: Lifetime | ((config: never) => Lifetime);
  readonly connectionSchema?: Schema<unknown>;
}
export interface ErasedInitiator extends ErasedProvider<Initiator, InitiatorCapability> {
  readonly protocol: Protocol;
}
export interface ErasedHypervisor extends ErasedProvider<Hypervisor, HypervisorCapability> {
  readonly opens: readonly Protocol[];
  readonly lifetime: Lifetime | ((config: never) => Lifetime);
}
export interface ErasedCloudResolver extends ErasedProvider<CloudResolver, CloudResolverCapability> {}

/** What a plugin may provide, one provider for each kind. */
export interface Provides {
  readonly volumeBackend?: ErasedVolumeBackend;
  readonly targetExporter?: ErasedTargetExporter;
  readonly initiator?: ErasedInitiator;
  readonly hypervisor?: ErasedHypervisor;
  readonly cloudResolver?: ErasedCloudResolver;
}

/** The manifest of a plugin: a value without effect on import, the default export of its package. */
export interface Plugin<N extends string = string, P extends Provides = Provides> {
  readonly name: N;
  readonly apiVersion: 1;
  readonly provides: P;
}

/** The configuration that a provider takes. */
export type ConfigOf<P> = P extends { readonly configSchema: Schema<infer C> } ? C : never;

export function volumeBackend<
  Config,
  const C extends VolumeBackendCapability,
  const L extends LocatorKind,
  const M extends MachineKind,
  const S extends CommandSet = Record<never, string>,
>(provider: VolumeBackendProvider<Config, C, L, M, S>): VolumeBackendProvider<Config, C, L, M, S> {
  return provider;
}

export function targetExporter<
  Config,
  const C extends TargetExporterCapability,
  const P extends Protocol,
  const L extends LocatorKind,
  const M extends MachineKind,
  const S extends CommandSet = Record<never, string>,
>(provider: TargetExporterProvider<Config, C, P, L, M, S>): TargetExporterProvider<Config, C, P, L, M, S> {
  return provider;
}

export function initiator<
  Config,
  const C extends InitiatorCapability,
  const P extends Protocol,
  const M extends MachineKind,
  const S extends CommandSet = Record<never, string>,
>(provider: InitiatorProvider<Config, C, P, M, S>): InitiatorProvider<Config, C, P, M, S> {
  return provider;
}

export function hypervisor<
  Config,
  const C extends HypervisorCapability,
  const P extends Protocol,
  const M extends MachineKind,
  const S extends CommandSet = Record<never, string>,
>(provider: HypervisorProvider<Config, C, P, M, S>): HypervisorProvider<Config, C, P, M, S> {
  return provider;
}

export function cloudResolver<
  Config,
  const C extends CloudResolverCapability,
  const M extends MachineKind,
  const S extends CommandSet = Record<never, string>,
>(provider: CloudResolverProvider<Config, C, M, S>): CloudResolverProvider<Config, C, M, S> {
  return provider;
}

/** Names a plugin and what it provides; the types of its configuration travel with the value. */
export function definePlugin<const N extends string, const P extends Provides>(plugin: Plugin<N, P>): Plugin<N, P> {
  return plugin;
}
