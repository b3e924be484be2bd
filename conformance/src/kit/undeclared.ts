import type { Call, ContractKind, MethodFacts } from '@vbs/core';
import { methodFacts } from '@vbs/core';
import { refused } from './expect.js';
import type { Scene } from './scene.js';
import type { Proof } from './test.js';

type AnyContract = Readonly<Record<string, (call: Call, request: object) => Promise<unknown>>>;

/** Every method that needs the capability answers UNSUPPORTED. */
export async function refusesUndeclared<K extends ContractKind>(scene: Scene<K>, capability: string): Promise<void> {
  const facts: Readonly<Record<string, MethodFacts>> = methodFacts[scene.kind];
  const contract = scene.contract as unknown as AnyContract;
  for (const [method, { needs }] of Object.entries(facts)) {
    if (needs !== capability) continue;
    const act = contract[method];
    if (act === undefined) throw new TypeError(`${method} is missing behind its layers`);
    await refused(act(scene.newCall(), {}), 'UNSUPPORTED', `${method} without ${capability}`);
  }
}

/** One proof for each method that a capability obliges to. */
export function undeclaredProofs<K extends ContractKind, S extends Scene<K>>(kind: K): readonly Proof<S>[] {
  const facts: Readonly<Record<string, MethodFacts>> = methodFacts[kind];
  return Object.entries(facts).flatMap(([method, { needs }]) =>
    needs === undefined
      ? []
      : [
          {
            method,
            promise: `answers UNSUPPORTED when ${needs} is not declared`,
            prove: async (scene: S) => {
              if (!scene.has(needs)) await refusesUndeclared(scene, needs);
            },
          },
        ],
  );
}
