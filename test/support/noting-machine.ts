import type { Machine } from '@vbs/core';

/** A machine that acts as the given one, and the acts that it was asked for meanwhile: `run tee`, `look`, `readFile`. */
export function notingMachine(machine: Machine): {
  readonly machine: Machine;
  acts(during: () => Promise<unknown>): Promise<readonly string[]>;
} {
  const noted: string[] = [];
  const noting = new Proxy(machine, {
    get: (target, name) => {
      const value = Reflect.get(target, name, target) as unknown;
      if (typeof value !== 'function' || typeof name !== 'string') return value;
      return (...given: unknown[]) => {
        const [tool] = Array.isArray(given[1]) ? (given[1] as unknown[]) : [];
        noted.push(name === 'run' ? `run ${String(tool)}` : name);
        return (value as (...all: unknown[]) => unknown).apply(target, given);
      };
    },
  });
  return {
    machine: noting,
    acts: async (during) => {
      const from = noted.length;
      await during();
      return noted.slice(from);
    },
  };
}
