import type { Call } from './call.js';
import type { WithCapabilities } from './capabilities.js';
import type { Access, ConnectionInfo, Protocol } from './connection.js';

/** One connection of one attachment. What a call changes is guarded by the attachment's id. */
export interface ConnectionRequest<P extends Protocol = Protocol> {
  readonly attachmentId: string;
  readonly connection: ConnectionInfo<P>;
}

export interface ConnectRequest<P extends Protocol = Protocol> extends ConnectionRequest<P> {
  /** What the device must turn out to be, compared with the connection's serial before the answer (safety E2). */
  readonly sizeBytes: number;
  readonly access: Access;
}

/** A connection as this node has it. */
export interface NodeConnection<P extends Protocol = Protocol> {
  /** As far as the node tells it: its `key` is right. */
  readonly connection: ConnectionInfo<P>;
  /** A path that means this volume after a reboot too, never /dev/sdX. */
  readonly devicePath: string;
  readonly sizeBytes: number;
}

/** The methods that every initiator has. */
export interface InitiatorBase<P extends Protocol = Protocol> {
  /** The names under which this node connects (an IQN, MACs), for an exporter's access list. */
  getIdentity(call: Call): Promise<{ readonly initiators: readonly string[] }>;
  /**
   * Brings a connection to a block device of this node. What is connected already is answered as it is.
   * @throws FAILED_PRECONDITION: the device has another size or serial (`context`); it was disconnected again.
   * @throws PERMISSION_DENIED: the target refuses this node. UNAVAILABLE: the target does not answer.
   */
  connect(call: Call, request: ConnectRequest<P>): Promise<NodeConnection<P>>;
  /**
   * Flushes and ends a connection; neighbours on the same session stay. The absent is success.
   * @throws FAILED_PRECONDITION: something on this node holds the device.
   */
  disconnect(call: Call, request: ConnectionRequest<P>): Promise<void>;
  /** What this node is connected to by this protocol, in one look; it may hold what VBS did not connect. */
  listConnections(call: Call): Promise<readonly NodeConnection<P>[]>;
}

/** Capability → the methods that it obliges an initiator to have. */
export interface InitiatorCapabilities<P extends Protocol = Protocol> {
  extend: {
    /** Makes this node see an export's new size. Answers the size in bytes that it sees. */
    extendConnection(call: Call, request: ConnectionRequest<P> & { readonly sizeBytes: number }): Promise<{ readonly sizeBytes: number }>;
  };
}
export type InitiatorCapability = keyof InitiatorCapabilities & string;

/** On a VMM node: a connection becomes a local block device. */
export type Initiator<C extends InitiatorCapability = never, P extends Protocol = Protocol> = WithCapabilities<
  InitiatorBase<P>,
  InitiatorCapabilities<P>,
  C
>;
