import type { ContractKind, ContractTypes, Instance, Plugin } from '@vbs/core';

type Contract<K extends ContractKind> = ContractTypes[K]['contract'];
type AnyInstance = Instance<object, 'local'>;

/** One defect, put between the core and a plugin that has none. */
export interface Defect<K extends ContractKind> {
  /** The methods that the defect replaces. */
  readonly methods?: (real: Contract<K>, instance: AnyInstance) => Partial<Contract<K>>;
  /** What the plugin is told in place of what it should be. */
  readonly instance?: (instance: AnyInstance) => AnyInstance;
  /** What the manifest says in place of the truth. */
  readonly provider?: object;
  /** What the opened instance is besides its contract. */
  readonly opened?: object;
}

interface AnyProvider<K extends ContractKind> {
  open(instance: AnyInstance, call: unknown): Promise<Contract<K>>;
}

/** The same plugin with one defect in one of its providers. */
export function breakPlugin<K extends ContractKind, P extends Plugin>(plugin: P, kind: K, defect: Defect<K>): P {
  const provider = plugin.provides[kind] as unknown as AnyProvider<K>;
  const open = async (given: AnyInstance, call: unknown): Promise<object> => {
    const instance = defect.instance?.(given) ?? given;
    const real = await provider.open(instance, call);
    const replaced: Readonly<Record<string, unknown>> = { ...defect.opened, ...defect.methods?.(real, instance) };
    return new Proxy(real, {
      get: (target, key) => {
        if (typeof key === 'string' && key in replaced) return replaced[key];
        const value: unknown = Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
  return { ...plugin, provides: { ...plugin.provides, [kind]: { ...provider, ...defect.provider, open } } };
}
