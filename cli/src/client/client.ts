import type {
  Attachment,
  AttachVolumeRequest,
  CallOptions,
  CreateSnapshotRequest,
  CreateVolumeRequest,
  DeleteSnapshotRequest,
  DeleteVolumeRequest,
  DescribeRequest,
  DetachVolumeRequest,
  ExtendVolumeRequest,
  Operation,
  Page,
  Pool,
  ReconcileRequest,
  ResetStateRequest,
  Snapshot,
  Volume,
} from '@vbs/core';
import type { Event, InstanceCheck, JournalEntry, ReconcileReport, Route } from '@vbs/schemas';

/** What each operation takes, and what it works on. */
export interface Operations {
  createVolume: { request: CreateVolumeRequest; resource: Volume };
  deleteVolume: { request: DeleteVolumeRequest; resource: never };
  extendVolume: { request: ExtendVolumeRequest; resource: Volume };
  resetState: { request: ResetStateRequest; resource: Volume };
  createSnapshot: { request: CreateSnapshotRequest; resource: Snapshot };
  deleteSnapshot: { request: DeleteSnapshotRequest; resource: never };
  attachVolume: { request: AttachVolumeRequest; resource: Attachment };
  detachVolume: { request: DetachVolumeRequest; resource: Attachment };
}
export type OperationName = keyof Operations;

/** What can be described, each by pages. */
export interface Resources {
  volumes: Volume;
  snapshots: Snapshot;
  attachments: Attachment;
  operations: Operation;
}
export type ResourceKind = keyof Resources;

/** An operation that was journalled: from now on it is done, or taken back, whoever waits for it. */
export interface Begun {
  readonly operationId: string;
  /** Whether it has ended, and succeeded. */
  readonly ended: boolean;
}

export interface BeginOptions {
  /** Makes a repeat answer what the first call did; what is sent again after a broken connection carries it. */
  readonly clientToken: string;
  readonly signal: AbortSignal;
}

export interface ListRequest extends DescribeRequest {
  /** Of attachments. */
  readonly volumeId?: string;
  /** Of operations. */
  readonly resourceId?: string;
}

export type WaitOptions = Pick<CallOptions, 'onProgress'> & { readonly signal: AbortSignal };

/**
 * What the commands need of a store. Two kinds make one: over HTTP to a server, and of a store that this process opens.
 * What the store refuses is thrown as {@link Failure} or as the core's VbsError, of the same codes.
 */
export interface Client {
  /** Where the answers come from, for people: a URL, a socket, or this process. */
  readonly name: string;
  /** The store is open in this process, and closes with it. */
  readonly embedded: boolean;
  /** Begins an operation; `ended` tells whether there is nothing to wait for any more. */
  begin<O extends OperationName>(operation: O, request: Operations[O]['request'], options: BeginOptions): Promise<Begun>;
  /** Waits until an operation has ended. @throws its error, when it failed or is stuck; the signal's reason. */
  waitFor(operationId: string, options: WaitOptions): Promise<void>;
  /** One page; oldest first. */
  list<K extends ResourceKind>(kind: K, request: ListRequest, signal: AbortSignal): Promise<Page<Resources[K]>>;
  journal(operationId: string, signal: AbortSignal): Promise<readonly JournalEntry[]>;
  act(operationId: string, act: 'retry' | 'abandon' | 'cancel', signal: AbortSignal): Promise<Operation>;
  /** What happens after that sequence, or from now on, until the signal aborts. */
  events(options: { readonly after?: number; readonly signal: AbortSignal }): AsyncIterable<Event>;
  reconcile(request: ReconcileRequest, signal: AbortSignal): Promise<ReconcileReport>;
  pools(signal: AbortSignal): Promise<readonly Pool[]>;
  routes(signal: AbortSignal): Promise<readonly Route[]>;
  checks(signal: AbortSignal): Promise<readonly InstanceCheck[]>;
  close(): Promise<void>;
}
