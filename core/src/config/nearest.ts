/** How many characters must be put in, left out or changed to make one text of the other (Levenshtein). */
function distance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [row, character] of [...from].entries()) {
    const current = [row + 1];
    for (let column = 0; column < to.length; column++) {
      const changed = (previous[column] ?? 0) + (to[column] === character ? 0 : 1);
      current.push(Math.min(changed, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}

const longestText = 64;

/** The candidate that was probably meant; undefined when none is near. */
export function nearest(text: string, candidates: readonly string[]): string | undefined {
  if (text.length > longestText) return undefined;
  const ranked = candidates
    .map((candidate) => ({ candidate, steps: distance(text.toLowerCase(), candidate.toLowerCase()) }))
    .sort((one, other) => one.steps - other.steps)[0];
  return ranked !== undefined && ranked.steps <= Math.floor((text.length + 2) / 3) ? ranked.candidate : undefined;
}
