import { setTimeout as pause } from 'node:timers/promises';
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

const quietMs = 8_000;

/** Tries a workflow with faults in its calls, waits until all is quiet, and looks whether everything agrees. */
export async function tryCase(
  opened: WorldStore,
  director: FaultDirector,
  scenario: Scenario,
  { name, faults }: { readonly name: string; readonly faults: readonly Fault[] },
): Promise<Tried> {
  const plan = new FaultPlan(faults);
  const vm = `vm-${name}`;
  const calm = { wait: true, ifBusy: 'wait', onOperation: (id: string) => director.claim(id, null) } as const;
  const c: Case = { ...opened, name, vm, calm };
  const wrong: string[] = [];
  try {
    const prepared = await scenario.prepare(c);
    director.claimVm(vm, plan);
    plan.armed = true;
    const outcome = await scenario.act(c, prepared, { wait: true, onOperation: (id) => director.claim(id, plan) }).then(
      () => 'succeeded',
      (error: unknown) => `${(error as { code?: string }).code}: ${(error as Error).message}`,
    );
    const open = await untilEnded(c, plan);
    plan.armed = false;
    wrong.push(...open, ...(await disagreements(c.metadata, c.world, await scopeOf(c))).map((what) => `${what} (it ${outcome})`));
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

async function untilEnded(c: Case, plan: FaultPlan): Promise<string[]> {
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
  for (const { volumeId } of attached) await c.store.detachVolume({ volumeId }, c.calm);
  for (const snapshotId of snapshotIds) await c.store.deleteSnapshot({ snapshotId }, c.calm);
  for (const volumeId of volumeIds) await c.store.deleteVolume({ volumeId }, c.calm);
}
