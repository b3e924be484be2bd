import type { ChapCredentials, ConfigOf, ConnectionInfo, LocatorKind, Protocol, VolumeLocator } from '@vbs/core';
import type { Bytes } from '../kit/bytes.js';
import type { CommonSetup, Providing, Surroundings } from '../kit/setup.js';

export type AcceptedBy<P> = P extends { readonly accepts: readonly (infer L extends LocatorKind)[] } ? L : never;
export type ProtocolOf<P> = P extends { readonly protocol: infer S extends Protocol } ? S : never;

/** Room on the exporter's machine that is no export yet, and its bytes past the exporter. */
export interface ExportableVolume<L extends LocatorKind = LocatorKind> extends Bytes {
  readonly locator: VolumeLocator<L>;
  /** Makes it larger; what is added reads zeros. */
  grow(sizeBytes: number): Promise<void>;
  /** Removes it; a repeat is nothing. */
  remove(): Promise<void>;
}

/** Somebody connected to an export. Each call rejects when the connection is lost, within the limits of a test. */
export interface ExportClient extends Bytes {
  readonly sizeBytes: number;
  /** What the exporter told it. */
  readonly readOnly: boolean;
  /** Ends when everything that was written is durable. */
  flush(): Promise<void>;
  /** Ends the connection; the exporter knows it soon afterwards. A repeat, or after a loss, is nothing. */
  disconnect(): Promise<void>;
}

export interface TargetExporterSetup<P extends Providing<'targetExporter'>> extends CommonSetup<ConfigOf<P['targetExporter']>> {
  /** A volume that reads zeros, of a kind of locator that the exporter accepts. */
  readonly makeVolume: (surroundings: Surroundings, sizeBytes: number) => Promise<ExportableVolume<AcceptedBy<P['targetExporter']>>>;
  /**
   * Connects as an initiator does; rejects when it is not let in. `chap` is given where the exporter declares it, `surroundings` for what
   * leads to a network of the test's own.
   */
  readonly connect: (
    connection: ConnectionInfo<ProtocolOf<P['targetExporter']>>,
    options: { readonly chap?: ChapCredentials; readonly surroundings: Surroundings },
  ) => Promise<ExportClient>;
  /** The names under which `connect` comes, needed where the exporter declares `acl`. */
  readonly initiators?: readonly string[];
  /** A legal name under which it does not come, for the proof of `acl`; an iSCSI name unless told. */
  readonly stranger?: string;
  /** How long the exporter may show a client that has left, in milliseconds; 5,000 unless told. */
  readonly clientSeenMs?: number;
  /** Of the volumes, in bytes; 1 MiB unless told. */
  readonly sizeBytes?: number;
}
