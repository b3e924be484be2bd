/** One thing to be timed against others. */
export interface Contestant {
  /** Does it once and answers its number, so that making ready and clearing up need not count. */
  run(turn: number): Promise<number>;
}

export interface Turns {
  /** How many count. */
  readonly runs: number;
  /** How many go before and do not count. */
  readonly warmUp: number;
  readonly signal: AbortSignal;
}

/**
 * Runs all of them in turn (A B, B A, A B, …), so that what else the machine does meets them alike, and none always follows another.
 * Answers the numbers of each, in the order of the turns.
 */
export async function interleave<K extends string>(
  contestants: Readonly<Record<K, Contestant>>,
  { runs, warmUp, signal }: Turns,
): Promise<Readonly<Record<K, readonly number[]>>> {
  const names = Object.keys(contestants) as K[];
  const samples = Object.fromEntries(names.map((name): [K, number[]] => [name, []])) as Record<K, number[]>;
  for (let turn = -warmUp; turn < runs; turn++) {
    const order = turn % 2 === 0 ? names : names.toReversed();
    for (const name of order) {
      signal.throwIfAborted();
      const sample = await contestants[name].run(turn);
      if (turn >= 0) samples[name].push(sample);
    }
  }
  return samples;
}

/** How long something takes, in milliseconds. */
export async function timed(act: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await act();
  return performance.now() - start;
}
