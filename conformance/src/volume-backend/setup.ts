import type { ConfigOf, LocatorKind, VolumeLocator } from '@vbs/core';
import type { CommonSetup, Providing } from '../kit/setup.js';

/** The kinds of locator that a plugin's backend answers. */
export type LocatorOf<P> = P extends { readonly locators: readonly (infer L extends LocatorKind)[] } ? L : never;

/** Reads and writes a volume's bytes where its locator says, without the plugin. */
export interface VolumeIo<L extends LocatorKind> {
  read(locator: VolumeLocator<L>, offset: number, length: number): Promise<Uint8Array>;
  /** Ends when the bytes are durable, as after an acknowledged flush. */
  write(locator: VolumeLocator<L>, offset: number, bytes: Uint8Array): Promise<void>;
}

export interface VolumeBackendSetup<P extends Providing<'volumeBackend'>> extends CommonSetup<ConfigOf<P['volumeBackend']>> {
  readonly io: VolumeIo<LocatorOf<P['volumeBackend']>>;
  /** Of the volumes that are made, in bytes, rounded up to the backend's granularity; 1 MiB unless told. A pool must hold 12 of them. */
  readonly sizeBytes?: number;
}
