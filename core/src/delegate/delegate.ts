import type { Call } from '../contract/call.js';
import type { Machine } from '../machine/machine.js';
import type { OpenedInstance } from '../plugin/opened-instance.js';

/** One volume server: its backends and exporters by name (`vs1/fast`), in the order of the configuration. */
export interface VolumeDelegate {
  readonly name: string;
  /** Where the tools of its backends and exporters run, and their guards lie. */
  readonly machine: Machine;
  readonly backends: ReadonlyMap<string, OpenedBackend>;
  readonly exporters: ReadonlyMap<string, OpenedExporter>;
}

export interface OpenedBackend extends OpenedInstance<'volumeBackend'> {
  readonly isDefault: boolean;
}

export interface OpenedExporter extends OpenedInstance<'targetExporter'> {
  readonly openNetwork: boolean;
}

/** One VMM node: its hypervisor and its initiators by name (`xen1/iscsi`), in the order of the configuration. */
export interface VmmDelegate {
  readonly name: string;
  /** Where the tools of its initiators and its hypervisor run, and their guards lie. */
  readonly machine: Machine;
  readonly hostnames: readonly string[];
  readonly initiators: ReadonlyMap<string, OpenedInstance<'initiator'>>;
  readonly hypervisor: OpenedInstance<'hypervisor'>;
  /** Changes when the node was booted again, or, for a hypervisor of lifetime `process`, when this process was started again (safety F2). */
  bootId(call: Call): Promise<string>;
}

/** Everything that the configuration names, open. */
export interface Delegates {
  readonly volumeServers: ReadonlyMap<string, VolumeDelegate>;
  readonly vmmNodes: ReadonlyMap<string, VmmDelegate>;
  readonly resolvers: ReadonlyMap<string, OpenedInstance<'cloudResolver'>>;
  /** Closes every instance: exporters and hypervisors of lifetime `process` first, then the others, each once. */
  close(): Promise<void>;
}
