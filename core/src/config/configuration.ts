import type { Secret } from '../contract/secret.js';
import type { Plugin } from '../plugin/define-plugin.js';

/** A configuration that was read, validated and completed: every secret is a Secret, every path absolute. */
export interface Configuration {
  /** What relative paths start from: the folder of the configuration file, or the current one. */
  readonly baseDirectory: string;
  /** Where this machine's locks, guards and records of long-running commands lie; mode 0700. The folder of the SQLite file unless told. */
  readonly stateDirectory: string;
  readonly database: DatabaseConfiguration;
  /** What the CHAP passwords of exports are derived from; null: the file `master.key` of the state directory (safety E5). */
  readonly masterKey: Secret | null;
  readonly plugins: readonly (string | Plugin)[];
  readonly volumeServers: Readonly<Record<string, VolumeServerConfiguration>>;
  readonly vmmNodes: Readonly<Record<string, VmmNodeConfiguration>>;
  readonly resolvers: Readonly<Record<string, InstanceConfiguration>>;
}

export type DatabaseConfiguration =
  | { readonly client: 'sqlite3'; readonly filename: string }
  | { readonly client: 'pg'; readonly connection: string | Secret };

/** `local`, the default, or another machine. */
export type MachineConfiguration = 'local' | { readonly ssh: SshMachineConfiguration };

/** How OpenSSH reaches a machine; what is not here stands in ssh's own configuration. */
export interface SshMachineConfiguration {
  /** As ssh takes it, such as `vs1` or `admin@vs1`. */
  readonly host: string;
  /** ssh's configuration file in place of the user's and the system's; absolute once it was read. */
  readonly configFile?: string;
  /**
   * The folder on that machine for guards and records; its file system must survive a boot. `/var/lib/vbs` for root and
   * `.local/state/vbs` in the home of others unless told. Every process that changes something there must use the same.
   */
  readonly stateDirectory?: string;
}

export interface VolumeServerConfiguration {
  readonly machine: MachineConfiguration;
  readonly backends: Readonly<Record<string, InstanceConfiguration>>;
  readonly exporters: Readonly<Record<string, InstanceConfiguration>>;
}

export interface VmmNodeConfiguration {
  readonly machine: MachineConfiguration;
  /** Other names of the node, as a cloud or a caller may use. */
  readonly hostnames: readonly string[];
  readonly initiators: Readonly<Record<string, InstanceConfiguration>>;
  readonly hypervisor: InstanceConfiguration;
}

/** A replaced command pattern. `withdraws` names the capabilities that go with the placeholders it leaves out. */
export interface CommandOverride {
  readonly pattern: string;
  readonly withdraws: readonly string[];
}

/** One configured instance; the core's own keys taken apart from the plugin's. */
export interface InstanceConfiguration {
  /** Its path of names, `vs1/fast`: its identity in metadata, logs and errors. */
  readonly name: string;
  /** Its JSON pointer in the configuration, `/volumeServers/vs1/backends/fast`, for messages. */
  readonly path: string;
  readonly plugin: string;
  /** The backend that a volume goes to when nobody says another. */
  readonly default: boolean;
  /** An exporter without acl, chap or tls may serve beyond loopback (safety E4). */
  readonly openNetwork: boolean;
  readonly commands: Readonly<Record<string, CommandOverride>>;
  /** Milliseconds by method name, in place of those of the method facts. */
  readonly timeLimits: Readonly<Record<string, number>>;
  /** The plugin's own keys, not yet validated by its schema. */
  readonly config: Readonly<Record<string, unknown>>;
}
