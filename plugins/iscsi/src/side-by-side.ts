/** So many acts at once: as many commands as a machine runs at once. */
const atOnce = 8;

/** What `act` makes of each item, in their order; the first failure ends it. */
export async function sideBySide<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Map<number, R>();
  const rest = [...items.entries()];
  const work = async (): Promise<void> => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift()) {
      const [index, item] = next;
      results.set(index, await act(item));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return [...results].sort(([one], [other]) => one - other).map(([, result]) => result);
}
