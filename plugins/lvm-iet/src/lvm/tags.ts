/**
 * What VBS writes into the tags of LVM. A tag has letters, digits and `_+.-/=!:#&`.
 *
 * The group bears the store's id, the highest epoch, and for each kind of volume in it the backend that has them. A logical volume bears
 * the store's id, and: a volume its state and, where it is thick, how many of its bytes are whole; a snapshot its volume.
 */
export type VolumeState = 'making' | 'filling' | 'ready' | 'deleting';

const states: readonly string[] = ['making', 'filling', 'ready', 'deleting'] satisfies readonly VolumeState[];
const starts = { store: 'vbs.store=', epoch: 'vbs.epoch=', state: 'vbs.state=', bytes: 'vbs.bytes=', volume: 'vbs.volume=' } as const;

export const storeTag = (storeId: string): string => `${starts.store}${storeId}`;
export const epochTag = (epoch: number): string => `${starts.epoch}${epoch}`;
export const stateTag = (state: VolumeState): string => `${starts.state}${state}`;
export const bytesTag = (bytes: number): string => `${starts.bytes}${bytes}`;
export const volumeTag = (volumeId: string): string => `${starts.volume}${volumeId}`;

/** What a backend's tag of the group begins with: one for the thick volumes, one for those of each thin pool. */
export const backendStart = (thinPool: string | undefined): string =>
  thinPool === undefined ? 'vbs.backend:thick=' : `vbs.backend:thin:${thinPool}=`;

/** An instance's path of names as far as a tag can hold it. */
export const backendTag = (thinPool: string | undefined, instance: string): string =>
  `${backendStart(thinPool)}${instance.replaceAll(/[^A-Za-z0-9_+./!:&-]/g, '_').slice(0, 512)}`;

/** All stores that have marked it; more than one is a fault. */
export const storesIn = (tags: readonly string[]): readonly string[] => valuesOf(tags, starts.store);

/** Ascending. */
export const epochsIn = (tags: readonly string[]): readonly number[] =>
  valuesOf(tags, starts.epoch)
    .filter((text) => /^[0-9]{1,16}$/.test(text))
    .map(Number)
    .sort((a, b) => a - b);

export function stateIn(tags: readonly string[]): VolumeState | undefined {
  const [state] = valuesOf(tags, starts.state);
  return state !== undefined && states.includes(state) ? (state as VolumeState) : undefined;
}

export const bytesIn = (tags: readonly string[]): number | undefined => {
  const numbers = valuesOf(tags, starts.bytes).map(Number).filter(Number.isSafeInteger);
  return numbers.length === 0 ? undefined : Math.min(...numbers);
};

export const volumeIn = (tags: readonly string[]): string | undefined => valuesOf(tags, starts.volume)[0];

function valuesOf(tags: readonly string[], start: string): readonly string[] {
  return tags.filter((tag) => tag.startsWith(start)).map((tag) => tag.slice(start.length));
}
