import { VbsError } from '../errors.js';
import type { Lifetime } from './instance.js';

/** Whether a value says how long something lives. */
export function isLifetime(value: unknown): value is Lifetime {
  return value === 'process' || value === 'daemon';
}

/** A provider for one configured instance, whose lifetime is known, where its kind has one. */
export type WithLifetime<P> = P extends { readonly lifetime: unknown } ? Omit<P, 'lifetime'> & { readonly lifetime: Lifetime } : P;

type Declaring = { readonly lifetime?: unknown };

/**
 * The provider for one instance: a `lifetime` that is a function is asked with the instance's validated configuration.
 * @throws PLUGIN_INVALID: the function failed, or answered neither `process` nor `daemon`.
 */
export function withLifetime<P extends object>(provider: P, config: unknown, pluginName: string, path: string): WithLifetime<P> {
  const { lifetime }: Declaring = provider;
  // What the plugin declared stays as it is: other instances of it may live otherwise.
  if (typeof lifetime !== 'function') return provider as WithLifetime<P>;
  let answer: unknown;
  let cause: unknown;
  try {
    answer = lifetime.call(provider, config);
  } catch (error) {
    cause = error;
  }
  if (isLifetime(answer)) return Object.create(provider, { lifetime: { value: answer, enumerable: true } }) as WithLifetime<P>;
  const why = cause === undefined ? `answered ${JSON.stringify(answer) ?? 'nothing'}` : `failed: ${String(cause)}`;
  throw new VbsError(
    'PLUGIN_INVALID',
    `the plugin ${pluginName} must say for ${path} whether it lives as 'process' or 'daemon', and its lifetime ${why}`,
    {
      context: { plugin: pluginName, path },
      cause,
    },
  );
}
