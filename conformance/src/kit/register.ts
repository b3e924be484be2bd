import type { ContractKind, Plugin } from '@vbs/core';
import { refused } from './expect.js';
import { Scene } from './scene.js';
import type { CommonSetup } from './setup.js';
import { body, type Proof, type Test } from './test.js';
import { factsOf, refusesUndeclared } from './undeclared.js';

/** What a kind's proofs act on. */
export interface Stage<K extends ContractKind> {
  readonly scene: Scene<K>;
}

export interface Registration<K extends ContractKind, S extends Stage<K>> {
  readonly test: Test;
  readonly kind: K;
  readonly plugin: Plugin;
  readonly setup: CommonSetup<unknown>;
  readonly proofs: readonly Proof<S>[];
  /** The kind's own surroundings, on an opened instance. */
  readonly stage: (scene: Scene<K>) => S;
  /** How an instance refuses what a capability without methods would allow. */
  readonly refusals?: Readonly<Record<string, (stage: S) => Promise<void>>>;
}

/** What every kind promises of its opening and of the methods that it does not declare. */
function commonProofs<K extends ContractKind, S extends Stage<K>>(kind: K): readonly Proof<S>[] {
  const lifecycle: readonly Proof<S>[] = [
    {
      method: 'open',
      promise: 'refuses a configuration with a key that its schema does not know',
      prove: async ({ scene }) => {
        const config = { ...scene.config, 'conformance-unknown-key': true };
        await refused(scene.open({ config }), 'CONFIG_INVALID', 'open with an unknown key');
      },
    },
    {
      method: 'check',
      promise: 'finds no fault where there is none',
      prove: async ({ scene }) => {
        const faults = await scene.opened.check(scene.newCall());
        if (faults.length > 0) throw new Error(`check found: ${faults.join('; ')}`);
      },
    },
    {
      method: 'close',
      promise: 'ends, so that the instance can be opened again',
      prove: async ({ scene }) => {
        await scene.reopen();
        await scene.opened.check(scene.newCall());
      },
    },
  ];
  const undeclared = Object.entries(factsOf(kind)).flatMap(([method, { needs }]): Proof<S>[] =>
    needs === undefined
      ? []
      : [
          {
            method,
            promise: `answers UNSUPPORTED where ${needs} is not declared`,
            prove: async ({ scene }) => {
              if (!scene.has(needs)) await refusesUndeclared(scene, needs);
            },
          },
        ],
  );
  return [...lifecycle, ...undeclared];
}

/** Gives the runner one test for each promise. */
export function register<K extends ContractKind, S extends Stage<K>>(registration: Registration<K, S>): void {
  const { test, kind, plugin, setup, proofs, stage, refusals = {} } = registration;
  const who = setup.label === undefined ? kind : `${kind} (${setup.label})`;
  for (const { method, promise, needs, prove } of [...commonProofs<K, S>(kind), ...proofs]) {
    const act = async (scene: Scene<K>): Promise<void> => {
      if (needs === undefined || scene.has(needs)) return prove(stage(scene));
      await refusesUndeclared(scene, needs);
      await refusals[needs]?.(stage(scene));
    };
    test(
      `${who} › ${method} › ${promise}`,
      body(() => Scene.with(kind, plugin, setup, act), setup.timeLimitMs ?? 60_000),
    );
  }
}
