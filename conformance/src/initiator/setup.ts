import type { Access, ConfigOf, ConnectionInfo, Protocol } from '@vbs/core';
import type { Bytes } from '../kit/bytes.js';
import type { CommonSetup, Providing, Surroundings } from '../kit/setup.js';

export type SpokenBy<P> = P extends { readonly protocol: infer S extends Protocol } ? S : never;

export interface TargetOptions {
  readonly sizeBytes: number;
  readonly access: Access;
  /** What `getIdentity` answered, for a target that lets in only whom it is told. */
  readonly initiators: readonly string[];
}

/** An export on the other side of the network, and its bytes past the initiator. */
export interface InitiatorTarget<P extends Protocol = Protocol> {
  /** As the core gives it to `connect`: with its credentials, where there are any. */
  readonly connection: ConnectionInfo<P>;
  /** Read and written where the target keeps them: nothing that the node still caches is there. */
  readonly bytes: Bytes;
  /** Makes volume and export larger; what is added reads zeros. */
  grow(sizeBytes: number): Promise<void>;
  /** The target answers no more, as when its machine lost its power; no word of farewell to who is connected. */
  stop(): Promise<void>;
  /** It is back, with the same connection and bytes. */
  start(): Promise<void>;
  /** From now on the target refuses this node. Left out where the protocol has no word for that (AoE: the target is silent). */
  refuse?(): Promise<void>;
  /** Removes export and volume, also a stopped one; a repeat is nothing. */
  remove(): Promise<void>;
}

/**
 * A block device of the node, which may be another machine. Each act opens the device, bears the node's errors and closes it again: nothing
 * is held in between.
 */
export interface NodeDevice extends Bytes {
  readonly sizeBytes: number;
  /** Ends when everything that was written is at the target (`blockdev --flushbufs`, fsync). `write` may leave it in the node's cache. */
  flush(): Promise<void>;
}

/** Makes something of the node hold the device (a mount, device mapper); answers how it lets go. */
export type HoldPath = (surroundings: Surroundings, path: string) => Promise<() => Promise<void>>;

export interface InitiatorSetup<P extends Providing<'initiator'>> extends CommonSetup<ConfigOf<P['initiator']>> {
  /** A volume that reads zeros, exported so that the node reaches it. Each has a connection of its own. */
  readonly makeTarget: (surroundings: Surroundings, options: TargetOptions) => Promise<InitiatorTarget<SpokenBy<P['initiator']>>>;
  /** One more export that shares its session with `first` (another LUN of its target). Left out where the protocol has no such thing. */
  readonly makeBeside?: (
    surroundings: Surroundings,
    first: InitiatorTarget<SpokenBy<P['initiator']>>,
    options: TargetOptions,
  ) => Promise<InitiatorTarget<SpokenBy<P['initiator']>>>;
  /** The device at a path of the node; rejects when there is none. */
  readonly device: (surroundings: Surroundings, path: string) => NodeDevice | Promise<NodeDevice>;
  /** null where nobody can. */
  readonly hold: HoldPath | null;
  /** False where the protocol's devices do not show the volume's serial (AoE by vblade); true unless told. */
  readonly showsSerial?: boolean;
  /** True where a node's kernel shows what it hears of before anybody connects (AoE: a target answers every broadcast); false unless told. */
  readonly appearsByItself?: boolean;
  /** Of the volumes, in bytes; 1 MiB unless told. */
  readonly sizeBytes?: number;
  /** How many are connected at once; 8 unless told. */
  readonly atOnce?: number;
}
