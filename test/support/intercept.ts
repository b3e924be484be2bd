import type { Call, Plugin } from '@vbs/core';

/** One call of a plugin's method on its way; `go` is what the plugin itself does. */
export interface InterceptedCall {
  readonly method: string;
  readonly call: Call;
  readonly request: unknown;
  go(): Promise<unknown>;
  /** The same with another call or request. */
  again(call: Call, request: unknown): Promise<unknown>;
}

type Interceptor = (intercepted: InterceptedCall) => Promise<unknown>;

/** The same plugin, with every call of the methods of what it opens, in whatever kind, led through `interceptor`. */
export function intercepting<P extends Plugin>(plugin: P, interceptor: Interceptor): P {
  const provides = Object.fromEntries(
    Object.entries(plugin.provides).map(([kind, provider]) => [
      kind,
      { ...provider, open: async (...given: readonly unknown[]) => wrapped(await openOf(provider)(...given), interceptor) },
    ]),
  );
  return { ...plugin, provides } as P;
}

function openOf(provider: object): (...given: readonly unknown[]) => Promise<object> {
  return (provider as { open: (...given: readonly unknown[]) => Promise<object> }).open;
}

const ownOf = new Set(['check', 'close']);

function wrapped(opened: object, interceptor: Interceptor): object {
  return new Proxy(opened, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      const method = value.bind(target) as (call: Call, request: unknown) => Promise<unknown>;
      if (typeof key !== 'string' || ownOf.has(key)) return method;
      return (call: Call, request: unknown) => interceptor({ method: key, call, request, go: () => method(call, request), again: method });
    },
  });
}
