import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { disagreements, orphans } from '../../support/world/agreement.js';
import { type Act, World } from '../../support/world/world.js';
import { openWorldStore, untilQuiet, type WorldStore } from '../../support/world/world-store.js';
import { LeaseProcess } from './lease-process.js';

const wait = { wait: true } as const;

async function openHere(
  t: ExecutionContext,
  leaseMs = 15_000,
): Promise<WorldStore & { readonly start: (leaseMs: number) => Promise<LeaseProcess> }> {
  t.timeout(120_000);
  const directory = await mkdtemp(join(tmpdir(), 'vbs-leases-'));
  const world = new World(join(directory, 'world'), { liveSnapshot: true });
  const opened = await openWorldStore(directory, world, { shortLimits: false, times: { leaseMs } });
  const children: LeaseProcess[] = [];
  t.teardown(async () => {
    await Promise.all(children.map((child) => child.kill()));
    await opened.store.close();
    await rm(directory, { recursive: true, force: true });
  });
  const start = async (childLeaseMs: number): Promise<LeaseProcess> => {
    const child = await LeaseProcess.start(directory, childLeaseMs);
    children.push(child);
    return child;
  };
  return { ...opened, start };
}

const effects = (acts: readonly Act[]): readonly Act[] => acts.filter(({ what }) => what === 'effect');

async function allAgrees(t: ExecutionContext, { metadata, world, store }: WorldStore): Promise<void> {
  await untilQuiet(store);
  t.deepEqual([...(await disagreements(metadata, world)), ...(await orphans(metadata, world))], []);
}

test.serial('two processes race for one volume › exactly one wins, and the other gets ABORTED', async (t) => {
  const opened = await openHere(t);
  const [one, other] = await Promise.all([opened.start(15_000), opened.start(15_000)]);
  const slow = { phase: 'before', ms: 150 } as const;
  const pairs = [
    ['delete', 'attach'],
    ['attach', 'delete'],
    ['snapshot', 'delete'],
    ['attach', 'attach'],
  ] as const;
  let aborted = 0;
  for (let round = 0; round < 20; round += 1) {
    const { id: volumeId } = await opened.store.createVolume({ size: '8KiB' }, wait);
    const [first, second] = pairs[round % pairs.length] ?? pairs[0];
    const answers = await Promise.all([
      one.do({ act: first, volumeId, vm: `vm-one-${round}`, slow }),
      other.do({ act: second, volumeId, vm: `vm-other-${round}`, slow }),
    ]);
    const winners = answers.filter(({ ok }) => ok).length;
    const codes = answers.flatMap(({ code }) => (code === undefined ? [] : [code]));
    aborted += codes.filter((code) => code === 'ABORTED').length;
    t.is(winners, 1, `${first} against ${second}: ${JSON.stringify(answers)}`);
    // Who came only after the winner had ended sees what the winner left.
    t.true(
      codes.every((code) => ['ABORTED', 'FAILED_PRECONDITION', 'NOT_FOUND'].includes(code)),
      codes.join(),
    );
  }
  t.true(aborted >= 10, `${aborted} of 20 rounds overlapped`);
  await allAgrees(t, opened);
});

test.serial('two processes race for one volume › who asked to wait acts after the other has ended', async (t) => {
  const opened = await openHere(t);
  const [one, other] = await Promise.all([opened.start(15_000), opened.start(15_000)]);
  const slow = { phase: 'before', ms: 100 } as const;
  for (let round = 0; round < 5; round += 1) {
    const { id: volumeId } = await opened.store.createVolume({ size: '8KiB' }, wait);
    const answers = await Promise.all([
      one.do({ act: 'snapshot', volumeId, ifBusy: 'wait', slow }),
      other.do({ act: 'attach', volumeId, vm: `vm-${round}`, ifBusy: 'wait', slow }),
    ]);
    t.true(
      answers.every(({ ok }) => ok),
      JSON.stringify(answers),
    );
    const { items } = await opened.store.describeOperations({ limit: 1000 });
    const ours = new Set(items.filter(({ resourceId }) => answers.some(({ answer }) => answer === resourceId)).map(({ id }) => id));
    const order = opened.world.acts
      .read()
      .filter(({ operationId }) => ours.has(operationId))
      .map(({ operationId }) => operationId);
    const turns = order.filter((id, index) => index === 0 || id !== order[index - 1]).length;
    t.is(turns, 2, 'the calls of the two operations do not mix');
  }
  await allAgrees(t, opened);
});

test.serial('a process stopped past its lease before it acts › another completes its work, and the woken one does no harm', async (t) => {
  const opened = await openHere(t);
  const child = await opened.start(900);
  const answer = child.do({ act: 'create', slow: { phase: 'before', ms: 200 } });
  await child.isInCall();
  child.signal('SIGSTOP');
  await untilQuiet(opened.store);
  const [volume] = (await opened.store.describeVolumes()).items;
  t.is(volume?.state, 'available');
  const taken = effects(opened.world.acts.read());
  child.signal('SIGCONT');
  t.deepEqual(await answer, { answerTo: 1, ok: true, answer: volume?.id ?? '' } as object);
  t.deepEqual(effects(opened.world.acts.read()), taken, 'nothing of the lower epoch took effect');
  t.true((await child.do({ act: 'create', slow: { phase: 'before', ms: 0 } })).ok, 'it serves new work');
  await allAgrees(t, opened);
});

test.serial('a process stopped past its lease under a guard › its act ends under the guard, and nothing else acts meanwhile', async (t) => {
  const opened = await openHere(t);
  const child = await opened.start(900);
  const answer = child.do({ act: 'create', slow: { phase: 'middle', ms: 200 } });
  await child.isInCall();
  child.signal('SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const before = effects(opened.world.acts.read()).length;
  t.is((await opened.store.describeOperations({ state: 'running' })).items.length, 1, 'whoever took it over waits for the guard');
  child.signal('SIGCONT');
  t.true((await answer).ok);
  t.is(effects(opened.world.acts.read()).length, before);
  await allAgrees(t, opened);
});

test.serial('a process killed in the middle of a call › its work is taken at once, long before its lease is over', async (t) => {
  const opened = await openHere(t);
  const child = await opened.start(600_000);
  void child.do({ act: 'create', slow: { phase: 'middle', ms: 20_000 } }).catch(() => undefined);
  await child.isInCall();
  const begun = performance.now();
  await child.kill();
  await untilQuiet(opened.store);
  t.true(performance.now() - begun < 10_000);
  t.is((await opened.store.describeVolumes()).items[0]?.state, 'available');
  await allAgrees(t, opened);
});
