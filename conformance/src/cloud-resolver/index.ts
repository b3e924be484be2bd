import assert from 'node:assert/strict';
import type { ConfigOf, InstancePlace, Plugin } from '@vbs/core';
import { refused } from '../kit/expect.js';
import { register, type Stage } from '../kit/register.js';
import type { CommonSetup, Providing } from '../kit/setup.js';
import type { Proof, Test } from '../kit/test.js';

/** Instances of the cloud that the configuration leads to. */
export interface KnownInstances {
  /** Instances that run, and where. */
  readonly running: readonly [InstancePlace, ...InstancePlace[]];
  /** One that the cloud does not know. */
  readonly unknown: string;
  /** One that was terminated; null where the cloud forgets it at once. */
  readonly terminated: string | null;
  /** One that is not placed on a host yet; null where there is no such state. */
  readonly notPlaced: string | null;
}

export interface CloudResolverSetup<P extends Providing<'cloudResolver'>>
  extends CommonSetup<ConfigOf<P['cloudResolver']>>,
    KnownInstances {}

interface ResolverStage extends Stage<'cloudResolver'>, KnownInstances {}

const method = 'resolveInstance';

function resolve({ scene }: ResolverStage, instanceId: string): Promise<InstancePlace> {
  return scene.contract.resolveInstance(scene.newCall(), { instanceId });
}

function proofs({ terminated, notPlaced }: KnownInstances): readonly Proof<ResolverStage>[] {
  return [
    {
      method,
      promise: 'answers where an instance runs, the same each time',
      prove: async (stage) => {
        for (const place of stage.running) {
          for (let time = 0; time < 2; time++) assert.deepEqual(await resolve(stage, place.instanceId), place);
        }
        await stage.scene.reopen();
        for (const place of stage.running) assert.deepEqual(await resolve(stage, place.instanceId), place);
      },
    },
    {
      method,
      promise: 'answers NOT_FOUND with the reason unknown for an instance that the cloud does not know',
      prove: async (stage) => {
        const error = await refused(resolve(stage, stage.unknown), 'NOT_FOUND', 'resolveInstance of an unknown instance');
        assert.equal(error.context.reason, 'unknown', 'context.reason');
      },
    },
    {
      method,
      promise: 'finds nothing by a text that is no instance id',
      prove: async (stage) => {
        const { instanceId } = stage.running[0];
        for (const hostile of [
          '',
          ' ',
          `../${instanceId}`,
          `${instanceId}\n`,
          `${instanceId} `,
          '-f',
          '*',
          '__proto__',
          'x'.repeat(5_000),
        ]) {
          const what = `resolveInstance of ${JSON.stringify(hostile.slice(0, 60))}`;
          await refused(resolve(stage, hostile), ['NOT_FOUND', 'INVALID_ARGUMENT'], what);
        }
      },
    },
    ...(terminated === null
      ? []
      : [
          {
            method,
            promise: 'answers NOT_FOUND with the reason terminated for an instance that was terminated',
            prove: async (stage: ResolverStage) => {
              const error = await refused(resolve(stage, terminated), 'NOT_FOUND', 'resolveInstance of a terminated instance');
              assert.equal(error.context.reason, 'terminated', 'context.reason');
            },
          },
        ]),
    ...(notPlaced === null
      ? []
      : [
          {
            method,
            promise: 'answers FAILED_PRECONDITION for an instance that is not placed yet',
            prove: async (stage: ResolverStage) => {
              await refused(resolve(stage, notPlaced), 'FAILED_PRECONDITION', 'resolveInstance of an instance without a host');
            },
          },
        ]),
    {
      method: 'listInstances',
      needs: 'list',
      promise: 'lists each instance that is placed once, where resolveInstance finds it, and no other',
      prove: async (stage) => {
        const places = await stage.scene.contract.listInstances(stage.scene.newCall());
        const ids = places.map(({ instanceId }) => instanceId);
        assert.equal(new Set(ids).size, ids.length, 'an instance is listed twice');
        for (const place of stage.running) assert.ok(ids.includes(place.instanceId), `${place.instanceId} is not listed`);
        for (const absent of [stage.unknown, terminated, notPlaced]) {
          assert.ok(absent === null || !ids.includes(absent), `${absent} is listed, and has no place`);
        }
        for (const place of places) assert.deepEqual(await resolve(stage, place.instanceId), place);
      },
    },
  ];
}

/** Proves that a plugin keeps the CloudResolver contract. */
export function cloudResolverConformance<P extends Providing<'cloudResolver'>>(
  test: Test,
  plugin: Plugin<string, P>,
  setup: NoInfer<CloudResolverSetup<P>>,
): void {
  const { running, unknown, terminated, notPlaced } = setup;
  const known = { running, unknown, terminated, notPlaced };
  register({ test, kind: 'cloudResolver', plugin, setup, proofs: proofs(known), stage: (scene) => ({ scene, ...known }) });
}
