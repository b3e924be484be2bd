import assert from 'node:assert/strict';
import type { Call, ContractKind, MethodFacts } from '@vbs/core';
import { methodFacts } from '@vbs/core';
import { refused } from './expect.js';
import type { Scene } from './scene.js';

type AnyContract = Readonly<Record<string, (call: Call, request: object) => Promise<unknown>>>;

export function factsOf(kind: ContractKind): Readonly<Record<string, MethodFacts>> {
  return methodFacts[kind];
}

/** Every method that needs the capability answers UNSUPPORTED. */
export async function refusesUndeclared<K extends ContractKind>(scene: Scene<K>, capability: string): Promise<void> {
  const contract = scene.contract as unknown as AnyContract;
  for (const [method, { needs }] of Object.entries(factsOf(scene.kind))) {
    if (needs !== capability) continue;
    const act = contract[method];
    assert.ok(act, `${method} is missing`);
    await refused(act(scene.newCall(), {}), 'UNSUPPORTED', `${method} without ${capability}`);
  }
}
