import type { Call } from './call.js';
import type { WithCapabilities } from './capabilities.js';
import type { Access, ChapCredentials, ConnectionInfo, LocatorKind, Protocol } from './connection.js';
import type { BackendVolume } from './volume-backend.js';

export interface ExportRequest<L extends LocatorKind = LocatorKind> {
  /** Never used again for another attachment (safety E1). */
  readonly exportId: string;
  /** A whole volume: the core never gives one that is `filling`. */
  readonly volume: BackendVolume<L>;
  readonly access: Access;
  /** The serial number a guest sees: the volume id without its hyphen, 20 characters (safety E2). */
  readonly serial: string;
  /** From the exporter's declared `addresses`, drawn and recorded by the core before the call. Present exactly when they are declared. */
  readonly address?: number;
  /** Present only where `chap` is declared. */
  readonly chap?: ChapCredentials;
  /** Who may connect, as `Initiator.getIdentity` answered. Present only where `acl` is declared. */
  readonly initiators?: readonly string[];
}

/** Somebody who is connected to an export now. */
export interface ExportSession {
  /** The initiator's name (IQN, MAC) or, where the protocol has none, its network address. */
  readonly initiator: string;
}

/** An export as the target daemon has it. */
export interface TargetExport<P extends Protocol = Protocol> {
  readonly exportId: string;
  /** Without secrets. */
  readonly connection: ConnectionInfo<P>;
  readonly access: Access;
  /** Left out where the daemon does not tell it in bytes. */
  readonly sizeBytes?: number;
  /** Left out where the protocol knows none (AoE). */
  readonly sessions?: readonly ExportSession[];
}

/** Numbers that cannot be derived from an id, as AoE's shelf and slot or a target id: both ends count. */
export interface AddressRange {
  /** Exporters with the same space never give the same number, as two on one Ethernet segment. */
  readonly space: string;
  readonly first: number;
  readonly last: number;
}

/** What one opened exporter is like. */
export interface TargetExporterTraits {
  /**
   * What this instance listens on: addresses of this machine alone, or such as other machines reach. A `network` exporter has `acl`,
   * `chap` or `tls`, or the configuration says `openNetwork` (safety E4).
   */
  readonly reach: 'loopback' | 'network';
  readonly addresses?: AddressRange;
}

/** The methods that every exporter has. What they change is guarded by the export's id. */
export interface TargetExporterBase<P extends Protocol = Protocol, L extends LocatorKind = LocatorKind> {
  /**
   * Makes a volume reachable. Opens access last: identity, size and access mode are right before anybody gets in.
   * An export of this id is completed part by part where something is missing.
   * @throws ALREADY_EXISTS: an export of this id serves another volume or access mode. NOT_FOUND: the volume's locator leads nowhere.
   * @throws FAILED_PRECONDITION: access to this export was revoked, or what the locator leads to is smaller than the volume.
   * @throws FAILED_PRECONDITION: the volume has an export and `multi-attach` is not declared.
   * @throws UNSUPPORTED: `access` is read-only and `read-only` is not declared.
   * @throws PERMISSION_DENIED: the exporter may not open the volume. RESOURCE_EXHAUSTED. UNAVAILABLE: the daemon does not answer.
   */
  createExport(call: Call, request: ExportRequest<L>): Promise<ConnectionInfo<P>>;
  /**
   * Takes an export away, access first. The absent is success once the daemon was seen alive.
   * @throws FAILED_PRECONDITION: somebody is connected (`context.sessions`).
   */
  deleteExport(call: Call, request: { readonly exportId: string }): Promise<void>;
  /** Every export of this store, in one look. @throws UNAVAILABLE: the daemon could not be seen. */
  listExports(call: Call): Promise<readonly TargetExport<P>[]>;
  /**
   * Makes again those of the exports that are missing (a daemon lost them), with the connections that they had; leaves what is there
   * untouched, and never opens again what `revokeAccess` shut.
   */
  ensureExports(call: Call, request: { readonly exports: readonly ExportRequest<L>[] }): Promise<void>;
}

/** Capability → the methods that it obliges an exporter to have. */
export interface TargetExporterCapabilities<L extends LocatorKind = LocatorKind> {
  /** The exporter itself refuses writes. */
  'read-only': object;
  /** One volume may have several exports at a time. */
  'multi-attach': object;
  chap: object;
  acl: object;
  tls: object;
  fence: {
    /**
     * Shuts everybody out: access first, then sessions, and ends only when none is left. The export stays, and lets nobody in.
     * @throws NOT_FOUND: there is no such export.
     */
    revokeAccess(call: Call, request: { readonly exportId: string }): Promise<void>;
  };
  extend: {
    /**
     * Shows connected initiators the volume's new size, without ending a session. Answers the size in bytes that is exported. A
     * protocol without a message for it (NBD) only widens the range: the initiator, or the hypervisor that opens it, asks for the size.
     * @throws NOT_FOUND: there is no such export. FAILED_PRECONDITION: it serves another volume, or its volume has not grown.
     */
    extendExport(
      call: Call,
      request: { readonly exportId: string; readonly volume: BackendVolume<L> },
    ): Promise<{ readonly sizeBytes: number }>;
  };
}
export type TargetExporterCapability = keyof TargetExporterCapabilities & string;

/** Makes a volume something that an initiator can reach; changing one export never disturbs another. */
export type TargetExporter<
  C extends TargetExporterCapability = never,
  P extends Protocol = Protocol,
  L extends LocatorKind = LocatorKind,
> = WithCapabilities<TargetExporterBase<P, L>, TargetExporterCapabilities<L>, C>;
