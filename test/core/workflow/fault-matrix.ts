import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import pLimit from 'p-limit';
import { orphans } from '../../support/world/agreement.js';
import { FaultDirector } from '../../support/world/fault-director.js';
import { type Fault, type FaultKind, faultKinds } from '../../support/world/faults.js';
import { World } from '../../support/world/world.js';
import { openWorldStore } from '../../support/world/world-store.js';
import type { Scenario } from './scenarios.js';
import { type Tried, tryCase } from './try-case.js';

/** Cases of one workflow at a time; each waits most of its time. */
const atOnce = 16;
/** How many calls after a first fault are given a second one. */
const callsAfter = 4;
/** Of the second faults; each place is given one of them, in turn, so that it meets every one after some first fault. */
const secondKinds = ['unavailable', 'late', 'fails-after-effect', 'hangs'] as const;
const secondKind = (index: number): FaultKind => secondKinds[index % secondKinds.length] ?? 'late';

const told = (faults: readonly Fault[]): string =>
  faults.map(({ method, nth, kind }) => `${method} ${nth} ${kind}`).join(' then ') || 'none';

/** The calls of a run as what a fault is planted in. */
function places(calls: readonly string[], from = 0): Pick<Fault, 'method' | 'nth'>[] {
  const numbered = calls.map((method, index) => ({ method, nth: calls.slice(0, index + 1).filter((other) => other === method).length }));
  return numbered.slice(from);
}

/** Every workflow's matrix is a test of its own; those of one file run one after the other, in a store each. */
export const matrix = test.macro({
  title: (_, scenario: Scenario) => `${scenario.title} › every call fails, hangs and acts late, and every call after it`,
  async exec(t, scenario: Scenario) {
    t.timeout(170_000);
    const directory = await mkdtemp(join(tmpdir(), 'vbs-faults-'));
    const director = new FaultDirector();
    const world = new World(join(directory, 'world'), { ...scenario.world, faults: director.source });
    const opened = await openWorldStore(directory, world, scenario.isRestore === true ? {} : { times: { restoreMs: 3_600_000 } });
    t.teardown(async () => {
      await opened.store.close();
      await rm(directory, { recursive: true, force: true });
    });
    const limit = pLimit(atOnce);
    const faulty: string[] = [];
    let cases = 0;
    const attempt = (faults: readonly Fault[]): Promise<Tried> =>
      limit(async () => {
        cases += 1;
        const tried = await tryCase(opened, director, scenario, { name: `case-${cases}`, faults });
        if (tried.wrong.length > 0) faulty.push(`${told(faults)}: ${tried.wrong.join('; ')}`);
        if (faults.length > 0 && tried.met === 0) faulty.push(`${told(faults)}: no fault came about`);
        return tried;
      });

    const { calls } = await attempt([]);
    t.true(calls.length > 0);
    const firsts = places(calls).flatMap((place) => faultKinds.map((kind): Fault => ({ ...place, kind })));
    const triedFirst = await Promise.all(firsts.map(async (fault) => ({ fault, after: (await attempt([fault])).calls })));
    let turn = 0;
    const seconds = triedFirst.flatMap(({ fault, after }) => {
      const at = places(after).findIndex(({ method, nth }) => method === fault.method && nth === fault.nth);
      const following = places(after, at + 1).slice(0, callsAfter);
      return following.map((place): readonly Fault[] => {
        turn += 1;
        return [fault, { ...place, kind: secondKind(turn) }];
      });
    });
    await Promise.all(seconds.map(attempt));
    faulty.push(...(await orphans(opened.metadata, world)));
    t.deepEqual(faulty.slice(0, 5), [], `${faulty.length} of ${cases} cases`);
    t.log(`${cases} cases, ${calls.length} calls: ${calls.join(', ')}`);
  },
});
