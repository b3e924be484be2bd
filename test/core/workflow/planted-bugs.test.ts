import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createWorkflows } from '@vbs/core/internal/operations/workflows.js';
import { tokens } from '@vbs/core/internal/tokens.js';
import { ProcessLease } from '@vbs/core/internal/workflow/process-lease.js';
import type { Check } from '@vbs/core/internal/workflow/step.js';
import test, { type ExecutionContext } from 'ava';
import { disagreements, orphans } from '../../support/world/agreement.js';
import { FaultDirector } from '../../support/world/fault-director.js';
import { World } from '../../support/world/world.js';
import { openWorldStore, untilQuiet, type WorldStoreOptions } from '../../support/world/world-store.js';
import { inFolder, runChild } from './kill-child-process.js';
import { readLabels } from './kill-points.js';
import { type Scenario, scenarios } from './scenarios.js';
import { tryCase } from './try-case.js';

const wait = { wait: true } as const;
const scenario = (title: string): Scenario => {
  const found = scenarios.find((one) => one.title === title);
  if (found === undefined) throw new Error(`there is no scenario ${title}`);
  return found;
};

async function folder(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-planted-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** An attach-volume whose create-export cannot be undone; and, where it lies, whose check does not see that either. */
const withoutUndo =
  (lies: boolean): NonNullable<WorldStoreOptions['register']> =>
  (container) =>
    container.register(tokens.workflows, {
      useFactory: (from) => {
        const workflows = createWorkflows(from.resolve(tokens.instances), from.resolve(tokens.chap));
        const { attachVolume } = workflows;
        const broken: typeof attachVolume = {
          ...attachVolume,
          steps: (params) =>
            attachVolume.steps(params).map((step) => {
              if (step.name !== 'create-export' || !step.changes) return step;
              const check = async (): Promise<Check<never>> => 'absent';
              return { ...step, undo: async () => undefined, ...(lies ? { check } : {}) };
            }),
        };
        return { ...workflows, attachVolume: broken };
      },
    });

const planted = test.macro({
  title: (_, how: string) => `the fault matrix › catches a step without undo ${how}`,
  async exec(t, _: string, lies: boolean, told: RegExp) {
    const directory = await folder(t);
    const director = new FaultDirector();
    const world = new World(join(directory, 'world'), { faults: director.source });
    const opened = await openWorldStore(directory, world, { register: withoutUndo(lies) });
    t.teardown(() => opened.store.close());
    const faults = [{ method: 'connect', nth: 1, kind: 'fails' }] as const;
    const { wrong } = await tryCase(opened, director, scenario('attach-volume'), { name: 'planted', faults, quietMs: 1_500 });
    t.regex(wrong.join('; '), told);
  },
});

test(planted, 'as an operation that never ends', false, /attach-volume is (stuck|running) for ever: undo of create-export/);
test(planted, 'whose check lies as an export that is left', true, /the export exp-\w+ is left/);

test('the kill matrix › catches a journal write after the act as an orphan', async (t) => {
  t.timeout(60_000);
  const kill = (variant: string): Promise<string[]> =>
    inFolder(async (directory) => {
      const labels = await inFolder(async (dry) => {
        await runChild('kill-world-child.js', dry, 0);
        return readLabels(dry);
      });
      const place = labels.indexOf('middle createVolume') + 1;
      t.true(place > 0);
      // Commits that come late pass the places in another order: the child is killed by the call's name.
      t.is(await runChild('kill-world-child.js', directory, place, variant), 'SIGKILL');
      const world = new World(join(directory, 'world'), { liveSnapshot: true });
      const { store, metadata } = await openWorldStore(directory, world, { shortLimits: false });
      try {
        await untilQuiet(store);
        return orphans(metadata, world);
      } finally {
        await store.close();
      }
    });
  t.deepEqual(await kill('sound'), []);
  t.regex((await kill('late-commits')).join('; '), /vol-\w+ is an orphan/);
});

/** A lease that is never renewed, by a process that does not look at its own clock either. */
class LeaseNeverRenewed extends ProcessLease {
  override async renew(): Promise<void> {}
  override requireHeld(): void {}
  override get lapsed(): AbortSignal {
    return new AbortController().signal;
  }
}

/** A lease whose renewals never come to the database, by a process that looks at its own clock. */
class LeaseThatLapses extends ProcessLease {
  override async renew(): Promise<void> {
    throw new Error('the database is far away');
  }
}

/** Two stores on one database; the first fills a volume slowly, under a short lease. Answers the breaches that the world saw. */
async function stealing(t: ExecutionContext, Lease: typeof ProcessLease): Promise<readonly string[]> {
  t.timeout(60_000);
  const directory = await folder(t);
  const leaseMs = 1_500;
  const { store } = await openWorldStore(directory, new World(join(directory, 'world')), { shortLimits: false });
  const { id: volumeId } = await store.createVolume({ size: '128KiB' }, wait);
  const { id: snapshotId } = await store.createSnapshot({ volumeId }, wait);
  await store.close();
  // After its first block it rests until somebody else copies too, or nobody did for two leases.
  const onBlock = async (block: number): Promise<void> => {
    const deadline = performance.now() + 2 * leaseMs;
    const copiers = (): number => new Set(world.acts.read().flatMap(({ method, epoch }) => (method === 'copy' ? [epoch] : []))).size;
    while (block === 0 && copiers() < 2 && performance.now() < deadline) await pause(25);
  };
  const world: World = new World(join(directory, 'world'), { guarded: false, onBlock });
  const first = await openWorldStore(directory, world, {
    shortLimits: false,
    times: { leaseMs },
    register: (container) =>
      container.register(tokens.lease, {
        useFactory: (from) =>
          new Lease(from.resolve(tokens.metadata), from.resolve(tokens.process), from.resolve(tokens.times), from.resolve(tokens.logger)),
      }),
  });
  t.teardown(() => first.store.close());
  const filling = first.store.createVolume({ snapshotId }, { wait: true }).catch(() => undefined);
  const thief = await openWorldStore(directory, new World(join(directory, 'world'), { guarded: false }), {
    shortLimits: false,
    times: { leaseMs: 30_000 },
  });
  t.teardown(() => thief.store.close());
  await filling;
  await untilQuiet(thief.store, 30_000);
  return disagreements(thief.metadata, world);
}

test('the world › catches a lease that is not renewed as a change under an epoch that was taken over', async (t) => {
  t.regex((await stealing(t, LeaseNeverRenewed)).join('; '), /under epoch \d+ \(op-\w+\), after \d+ was seen/);
});

test('a lease that is renewed › leaves its work to its process, although another would take it', async (t) => {
  t.deepEqual(await stealing(t, ProcessLease), []);
});

test('a lease that cannot be renewed › its process lets go of its work before another takes it', async (t) => {
  t.deepEqual(await stealing(t, LeaseThatLapses), []);
});
