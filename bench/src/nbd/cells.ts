import { KiB, MiB } from '../sizes.js';

/** One pattern of access. */
export interface Cell {
  readonly access: 'read' | 'write';
  readonly order: 'sequential' | 'random';
  readonly blockBytes: number;
  /** Requests in flight. */
  readonly depth: number;
}

/** Each access, order, block size and depth with each other. */
export const cells: readonly Cell[] = (['read', 'write'] as const).flatMap((access) =>
  (['sequential', 'random'] as const).flatMap((order) =>
    [4 * KiB, 64 * KiB, MiB].flatMap((blockBytes) => [1, 16].map((depth): Cell => ({ access, order, blockBytes, depth }))),
  ),
);

export function sayCell({ access, order, blockBytes, depth }: Cell): string {
  const block = blockBytes >= MiB ? `${blockBytes / MiB} MiB` : `${blockBytes / KiB} KiB`;
  return `${access} ${block}, ${order}, depth ${depth}`;
}

/** What part of the better peer's throughput is to be reached: at small blocks the work for each request weighs most. */
export function aimOf({ blockBytes }: Cell): number {
  return blockBytes >= 64 * KiB ? 0.8 : 0.5;
}
