/**
 * What a promise comes to, or the error that `late` answers when it takes longer than `ms`. The work goes on then:
 * `onLate` is given what it comes to after all, to put it away.
 */
export async function withinLimit<T>(work: Promise<T>, ms: number, late: () => Error, onLate?: (value: T) => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let over = false;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      over = true;
      reject(late());
    }, ms);
  });
  work.then(
    (value) => {
      if (over) onLate?.(value);
    },
    () => undefined,
  );
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
