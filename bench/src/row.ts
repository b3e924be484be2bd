/** What VBS is measured against. */
export interface Peer {
  readonly name: string;
  /** One number a run, in the row's unit; as many as those of VBS when the runs took turns, so that the pairs can be compared. */
  readonly samples: readonly number[];
}

/** What a row has to reach; it is met when the median does. */
export type Aim =
  /** VBS takes at most so many of the row's unit. */
  | { readonly kind: 'at-most'; readonly value: number }
  /** VBS reaches at least so many of the row's unit. */
  | { readonly kind: 'at-least'; readonly value: number }
  /** VBS over the peer is at most so much: 1.2 allows a fifth more, 0.05 wants a twentieth. */
  | { readonly kind: 'ratio-at-most'; readonly value: number }
  /** VBS over the peer is at least so much. */
  | { readonly kind: 'ratio-at-least'; readonly value: number }
  /** VBS takes at most so many of the row's unit more than the peer: its own time over the bare work. */
  | { readonly kind: 'difference-at-most'; readonly value: number };

/** Something that was measured. */
export interface MeasuredRow {
  readonly kind: 'measured';
  /** What was done, in a few words: `attach`, `read 64 KiB, sequential, depth 16`. */
  readonly what: string;
  /** `ms`, `MB`, `MiB/s`, `/s`. */
  readonly unit: string;
  /** One number a run; at least one. */
  readonly vbs: readonly number[];
  readonly peer?: Peer;
  /** All of them have to be met; none where the row only tells. */
  readonly aims: readonly Aim[];
}

/** Something that could not be measured here, and why: a missing tool, no right to mount. */
export interface SkippedRow {
  readonly kind: 'skipped';
  readonly what: string;
  readonly reason: string;
}

/** Something that went wrong while it was measured. */
export interface FailedRow {
  readonly kind: 'failed';
  readonly what: string;
  readonly reason: string;
}

export type Row = MeasuredRow | SkippedRow | FailedRow;
