/** What a row tells of its runs. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
}

/** The middle one, or the mean of the middle two. @throws TypeError: there is none. */
export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  const lower = sorted[sorted.length % 2 === 0 ? middle - 1 : middle];
  if (upper === undefined || lower === undefined) throw new TypeError('a median needs one number at least');
  return (lower + upper) / 2;
}

export function spreadOf(samples: readonly number[]): Spread {
  return { median: median(samples), min: Math.min(...samples), max: Math.max(...samples), runs: samples.length };
}

/**
 * Two sides compared: the median over the pairs where both have as many numbers, since each pair met the same machine; otherwise
 * their medians.
 */
export function compare(vbs: readonly number[], peer: readonly number[], by: (one: number, other: number) => number): number {
  if (vbs.length !== peer.length) return by(median(vbs), median(peer));
  return median(vbs.map((one, index) => by(one, peer[index] ?? Number.NaN)));
}
