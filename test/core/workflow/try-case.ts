import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { CallOptions, VbsError } from '@vbs/core';
import { attachments } from '@vbs/core/internal/metadata/attachments.js';
import { operations } from '@vbs/core/internal/metadata/operations.js';
import { snapshots } from '@vbs/core/internal/metadata/snapshots.js';
import { volumes } from '@vbs/core/internal/metadata/volumes.js';
import { disagreements } from '../../support/world/agreement.js';
import { type FaultDirector, FaultPlan } from '../../support/world/fault-director.js';
import type { Fault } from '../../support/world/faults.js';
import type { WorldStore } from '../../support/world/world-store.js';
import type { Case, Scenario } from './scenarios.js';

/** How one case went: the calls of the operation, and everything that was wrong afterwards. */
export interface Tried {
  readonly calls: readonly string[];
  readonly met: number;
  readonly wrong: readonly string[];
}

const usualQuietMs = 10_000;

/** Tries a workflow with faults in its calls, waits until all is quiet, and looks whether everything agrees. */
export async function tryCase(
  opened: WorldStore,
  director: FaultDirector,
  scenario: Scenario,
  { name, faults, quietMs = usualQuietMs }: { readonly name: string; readonly faults: readonly Fault[]; readonly quietMs?: number },
): Promise<Tried> {
  const plan = new FaultPlan(faults);
  const vm = `vm-${name}`;
  const c: Case = { ...opened, name, vm, calmly: (act) => calmly(act, (id) => director.claim(id, null)) };
  const wrong: string[] = [];
  try {
    const prepared = await scenario.prepare(c);
    director.claimVm(vm, plan);
    plan.armed = true;
    const outcome = await scenario.act(c, prepared, { wait: true, onOperation: (id) => director.claim(id, plan) }).then(
      () => 'succeeded',
      (error: unknown) => `${(error as { code?: string }).code}: ${(error as Error).message}`,
    );
    const open = await untilEnded(c, plan, quietMs);
    plan.armed = false;
    const agreed =
      scenario.failsInError === true && outcome !== 'succeeded' ? [] : await disagreements(c.metadata, c.world, await scopeOf(c));
    wrong.push(...open, ...agreed);
    if (wrong.length > 0) wrong.unshift(`it ${outcome}`);
    if (wrong.length === 0) {
      await scenario.again(c, prepared);
      wrong.push(...(await disagreements(c.metadata, c.world, await scopeOf(c))).map((what) => `done again: ${what}`));
      await clear(c);
    }
  } catch (error) {
    wrong.push(`${(error as Error).stack}`);
  }
  return { calls: plan.calls, met: plan.met, wrong };
}

const calmTries = 3;

/** Does something until it is done: a slow machine may go beyond the short limits, and what is stuck goes on by itself. */
async function calmly<T>(act: (options: CallOptions) => Promise<T>, onOperation: (id: string) => void): Promise<T> {
  let failure: unknown;
  for (let tries = 0; tries < calmTries; tries += 1) {
    const options = { wait: true, ifBusy: 'wait', onOperation, clientToken: randomUUID() } as const;
    const deadline = performance.now() + usualQuietMs;
    let stuck = true;
    while (stuck && performance.now() < deadline) {
      try {
        return await act(options);
      } catch (error) {
        failure = error;
        stuck = (error as VbsError).context?.remains !== undefined;
        await pause(50);
      }
    }
  }
  throw failure;
}

async function untilEnded(c: Case, plan: FaultPlan, quietMs: number): Promise<string[]> {
  const deadline = performance.now() + quietMs;
  for (;;) {
    const open = await operations.list(c.metadata.db, (query) =>
      query.whereIn('id', [...plan.operations]).whereIn('state', ['running', 'stuck']),
    );
    if (open.length === 0) return [];
    if (performance.now() > deadline) return open.map(({ kind, state, reason }) => `${kind} is ${state} for ever: ${reason}`);
    await pause(20);
  }
}

async function scopeOf(c: Case) {
  const { db } = c.metadata;
  const volumeIds = new Set((await volumes.list(db, (query) => query.where({ comment: c.name }))).map(({ id }) => id));
  const snapshotIds = new Set((await snapshots.list(db, (query) => query.where({ comment: c.name }))).map(({ id }) => id));
  return { volumeIds, snapshotIds };
}

/** Takes the case's things away again: that, too, must be possible. */
async function clear(c: Case): Promise<void> {
  const { volumeIds, snapshotIds } = await scopeOf(c);
  const attached = await attachments.list(c.metadata.db, (query) =>
    query.whereIn('volume_id', [...volumeIds]).where({ state: 'attached' }),
  );
  for (const { volumeId } of attached) await c.calmly((options) => c.store.detachVolume({ volumeId }, options));
  for (const snapshotId of snapshotIds) await c.calmly((options) => c.store.deleteSnapshot({ snapshotId }, options));
  for (const volumeId of volumeIds) await c.calmly((options) => c.store.deleteVolume({ volumeId }, options));
}
