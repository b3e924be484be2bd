import type { ContractKind, methodFacts } from '../contract/method-facts.js';
import type { Secret } from '../contract/secret.js';
import type { ConfigOf, Plugin, Provides } from '../plugin/define-plugin.js';
import type { MachineConfiguration } from './configuration.js';

/** A secret from an environment variable, or from a file that only its owner can read. */
export type SecretReference = { readonly env: string } | { readonly file: string };

/** A plugin's configuration as it may be written: where the plugin takes a Secret, also a reference to one. */
export type Configurable<T> = T extends Secret
  ? T | SecretReference
  : T extends (...arguments_: never[]) => unknown
    ? T
    : T extends object
      ? { readonly [K in keyof T]: Configurable<T[K]> }
      : T;

/** A pattern, or one that leaves placeholders out and says which capabilities go with them. */
export type CommandOverrideConfig = string | { readonly pattern: string; readonly withdraws?: readonly string[] };

/** The keys of an instance that belong to the core, beside `plugin`. */
export type InstanceKeys<K extends ContractKind> = {
  /** Command patterns that replace the plugin's own. */
  readonly commands?: Readonly<Record<string, CommandOverrideConfig>>;
  /** Milliseconds by method. */
  readonly timeLimits?: { readonly [Method in keyof (typeof methodFacts)[K]]?: number };
} & (K extends 'volumeBackend' ? { readonly default?: boolean } : unknown) &
  (K extends 'targetExporter' ? { readonly openNetwork?: boolean } : unknown);

type ByName<K extends ContractKind> = InstanceKeys<K> & { readonly plugin: string; readonly [key: string]: unknown };

type InstanceOf<P, K extends ContractKind> =
  P extends Plugin<infer Name, infer Provided>
    ? K extends keyof Provided
      ? { readonly plugin: Name } & InstanceKeys<K> & Configurable<ConfigOf<Provided[K]>>
      : never
    : P extends string
      ? ByName<K>
      : never;

/**
 * An instance of one of the plugins that provide the kind: `{ plugin, …its own keys }`, checked where the plugin is a value. As soon as
 * one plugin is only a name, what it takes is known at run time alone, and any key passes here.
 */
export type InstanceConfig<Ps extends readonly (string | Plugin)[], K extends keyof Provides> = {
  [I in keyof Ps]: InstanceOf<Ps[I], K>;
}[number];

type Instances<Ps extends readonly (string | Plugin)[], K extends keyof Provides> = Readonly<Record<string, InstanceConfig<Ps, K>>>;

/** The configuration that an embedder hands over: what a configuration file holds, with plugins as values or by name. */
export interface BlockStoreConfig<Ps extends readonly (string | Plugin)[] = readonly string[]> {
  readonly version?: 1;
  /** An SQLite file `vbs.sqlite` in the current folder unless told. */
  readonly database?:
    | { readonly client: 'sqlite3'; readonly filename: string }
    | { readonly client: 'pg'; readonly connection: string | Secret | SecretReference };
  /** Where this machine's locks and guards lie; the folder of the SQLite file unless told, needed with PostgreSQL. */
  readonly stateDirectory?: string;
  /** What the CHAP passwords of exports are derived from, at least 32 characters; drawn into the state directory unless told. */
  readonly masterKey?: Secret | SecretReference;
  readonly plugins: Ps;
  readonly volumeServers?: Readonly<
    Record<
      string,
      {
        readonly machine?: MachineConfiguration;
        readonly backends?: Instances<Ps, 'volumeBackend'>;
        /** In order: the first that fits a VMM node is taken. */
        readonly exporters?: Instances<Ps, 'targetExporter'>;
      }
    >
  >;
  readonly vmmNodes?: Readonly<
    Record<
      string,
      {
        readonly machine?: MachineConfiguration;
        readonly hostnames?: readonly string[];
        readonly initiators?: Instances<Ps, 'initiator'>;
        readonly hypervisor: InstanceConfig<Ps, 'hypervisor'>;
      }
    >
  >;
  readonly resolvers?: Instances<Ps, 'cloudResolver'>;
}
