const followed = new WeakMap<AbortSignal, readonly AbortSignal[]>();

/**
 * Aborts as soon as one of these does; undefined ones are left out. `AbortSignal.any` alone holds what it follows weakly: a source that nobody
 * else has, as of `AbortSignal.timeout`, may be collected, and then never aborts anything (nodejs/node issues 57736 and 65995).
 */
export function anySignal(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  const sources = signals.filter((signal) => signal !== undefined);
  const any = AbortSignal.any(sources);
  followed.set(any, sources);
  return any;
}
