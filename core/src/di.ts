/** The core's dependency injection: the one file that imports tsyringe and reflect-metadata. */
import 'reflect-metadata';
import {
  type DependencyContainer,
  instanceCachingFactory,
  container as root,
  inject as tsyringeInject,
  injectable as tsyringeInjectable,
} from 'tsyringe';

declare const serviceType: unique symbol;

/** Names a service of type `T`. */
export type Token<T> = symbol & { readonly [serviceType]: (service: T) => T };

/** The token of a name; the same name gives the same token, also in two copies of the core. */
export function token<T>(name: string): Token<T> {
  return Symbol.for(`vbs:${name}`) as Token<T>;
}

type Constructor<T> = new (...parameters: never[]) => T;
type ParameterOf<C, I extends number> = C extends abstract new (...parameters: infer Parameters) => unknown ? Parameters[I] : never;

/** What the compiler shows when a parameter cannot take the token's service. */
interface ServiceDoesNotFit<Service, Parameter> {
  readonly service: Service;
  readonly parameter: Parameter;
}

const injectedParameters = new WeakMap<object, Set<number>>();

/** Gives a constructor's parameter the token's service; the compiler refuses a parameter whose type cannot take it. */
export function inject<T>(of: Token<T>) {
  return <C extends abstract new (...parameters: never[]) => unknown, I extends number>(
    target: C,
    _key: undefined,
    index: I & ([T] extends [ParameterOf<C, I>] ? unknown : ServiceDoesNotFit<T, ParameterOf<C, I>>),
  ): void => {
    const parameters = injectedParameters.get(target) ?? new Set();
    injectedParameters.set(target, parameters.add(index));
    tsyringeInject(of)(target, undefined, index);
  };
}

/** Marks a class that the container may construct. @throws TypeError: a parameter of its constructor has no `inject`. */
export function injectable<T>(target: Constructor<T>): void {
  const injected = injectedParameters.get(target) ?? new Set();
  for (let index = 0; index < target.length; index++)
    if (!injected.has(index)) throw new TypeError(`Parameter ${index + 1} of the constructor of ${target.name} needs @inject(TOKEN).`);
  tsyringeInjectable<T>()(target as unknown as new (...parameters: unknown[]) => T);
}

/** Where a service comes from: constructed, made, or given. Each is made once, when it is first asked for. */
export type ServiceProvider<T> =
  | { readonly useClass: Constructor<T> }
  | { readonly useFactory: (container: Resolver) => T }
  | { readonly useValue: T };

export interface Resolver {
  /** The token's service, which is one in this container. @throws Error: none is registered. TypeError: services need each other in a circle. */
  resolve<T>(of: Token<T>): T;
}

/** Services of one store. Closing them is the store's: the container closes nothing. */
export interface Container extends Resolver {
  /** A later registration takes the place of an earlier one. @throws TypeError: the service was given out already. */
  register<T>(of: Token<T>, provider: NoInfer<ServiceProvider<T>>): void;
}

const nameOf = (of: symbol): string => of.description ?? 'a service without a name';

class StoreContainer implements Container {
  // tsyringe makes containers only as children; the root itself is never written to.
  readonly #services: DependencyContainer = root.createChildContainer();
  readonly #given = new Set<symbol>();
  readonly #beingMade: symbol[] = [];
  /** tsyringe wraps what a constructor throws into an Error of its own, without code or cause. */
  #failure: { readonly error: unknown } | undefined;

  register<T>(of: Token<T>, provider: NoInfer<ServiceProvider<T>>): void {
    if (this.#given.has(of)) throw new TypeError(`${nameOf(of)} was given out already and cannot be replaced.`);
    this.#services.register<T>(of, { useFactory: instanceCachingFactory(() => this.#make(of, provider)) });
  }

  resolve<T>(of: Token<T>): T {
    try {
      return this.#services.resolve<T>(of);
    } catch (error) {
      throw this.#failure === undefined ? error : this.#failure.error;
    } finally {
      if (this.#beingMade.length === 0) this.#failure = undefined;
    }
  }

  #make<T>(of: Token<T>, provider: ServiceProvider<T>): T {
    try {
      if (this.#beingMade.includes(of))
        throw new TypeError(`Services need each other in a circle: ${[...this.#beingMade, of].map(nameOf).join(' → ')}`);
      this.#beingMade.push(of);
      try {
        const service = this.#from(provider);
        this.#given.add(of);
        this.#failure = undefined;
        return service;
      } finally {
        this.#beingMade.pop();
      }
    } catch (error) {
      this.#failure ??= { error };
      throw error;
    }
  }

  #from<T>(provider: ServiceProvider<T>): T {
    if ('useValue' in provider) return provider.useValue;
    if ('useFactory' in provider) return provider.useFactory(this);
    return this.#services.resolve<T>(provider.useClass as unknown as new (...parameters: unknown[]) => T);
  }
}

/** A container of its own: two of them share no service. */
export function createContainer(): Container {
  return new StoreContainer();
}
