import { type Observer, type OperationEnd, type StepRecord, VbsError } from '@vbs/core';
import test from 'ava';
import { intercepting } from '../../support/intercept.js';
import { MiB, newStore, refusal, vmmHost } from '../../support/store.js';

const place = { vmmHost, vmId: 'vm1', device: 'xvdb' } as const;

/** An observer that keeps what it is told. */
function keeping(): Observer & { readonly steps: StepRecord[]; readonly ends: OperationEnd[]; readonly calls: string[] } {
  const [steps, ends, calls]: [StepRecord[], OperationEnd[], string[]] = [[], [], []];
  return {
    steps,
    ends,
    calls,
    onStep: (record) => steps.push(record),
    onOperation: (record) => ends.push(record),
    onCall: ({ method, code }) => calls.push(`${method} ${code ?? 'ok'}`),
  };
}

test('observer › is told each call, step and end of an operation that succeeds', async (t) => {
  const observer = keeping();
  const { volume } = await newStore(t, { services: { observer } });
  await volume(MiB);
  t.true(observer.calls.includes('createVolume ok'));
  t.like(observer.ends, { length: 1, 0: { kind: 'create-volume', state: 'succeeded', code: null } });
  t.deepEqual([...new Set(observer.steps.map(({ act, outcome, kind }) => `${kind} ${act} ${outcome}`))], ['create-volume do done']);
  for (const { durationMs } of [...observer.steps, ...observer.ends]) t.true(durationMs >= 0 && durationMs < 60_000);
});

test('observer › is told the failed step, the undos and the code of an operation that fails', async (t) => {
  const observer = keeping();
  const { store, volume } = await newStore(t, {
    services: { observer },
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'attachDevice') throw new VbsError('FAILED_PRECONDITION', 'the VM takes no disk');
        return go();
      }),
  });
  const { id: volumeId } = await volume(MiB);
  await refusal(t, store.attachVolume({ volumeId, ...place }, { wait: true }), 'FAILED_PRECONDITION');
  t.like(observer.ends.at(-1), { kind: 'attach-volume', state: 'failed', code: 'FAILED_PRECONDITION' });
  const acts = observer.steps.filter(({ kind }) => kind === 'attach-volume').map(({ act, outcome }) => `${act} ${outcome}`);
  t.true(acts.includes('do failed'));
  t.true(acts.includes('undo done'));
});

test('observer › one that throws changes nothing', async (t) => {
  const fault = (): never => {
    throw new Error('out of memory');
  };
  const { volume } = await newStore(t, { services: { observer: { onCall: fault, onStep: fault, onOperation: fault } } });
  t.is((await volume(MiB)).state, 'available');
});

test('describePools › tells what each pool has, and why one does not answer', async (t) => {
  let asleep = false;
  const { store, volume } = await newStore(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'getCapacity' && asleep) throw new VbsError('PERMISSION_DENIED', 'the pool may not be read');
        return go();
      }),
  });
  await volume(3 * MiB);
  const [pool, ...others] = await store.describePools();
  t.deepEqual(others, []);
  t.like(pool, { backend: 'vs1/files', fault: null, capacity: { provisionedBytes: 3 * MiB } });
  t.true(pool?.capabilities.includes('extend'));
  asleep = true;
  t.like(await store.describePools(), { 0: { backend: 'vs1/files', capacity: null } });
  t.regex((await store.describePools())[0]?.fault ?? '', /the pool may not be read/);
});

test('describeActivity › counts open exports and operations that are open', async (t) => {
  const { store, volume } = await newStore(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'extendVolume') throw new VbsError('UNAVAILABLE', 'the pool sleeps');
        return go();
      }),
  });
  t.deepEqual(await store.describeActivity(), { openExports: [], openOperations: [] });
  const { id: volumeId } = await volume(MiB);
  await store.attachVolume({ volumeId, ...place }, { wait: true });
  const { id: other } = await volume(MiB);
  await t.throwsAsync(store.extendVolume({ volumeId: other, size: 2 * MiB }, { wait: true }));
  t.deepEqual(await store.describeActivity(), {
    openExports: [{ exporter: 'vs1/nbd', count: 1 }],
    openOperations: [{ kind: 'extend-volume', state: 'stuck', count: 1 }],
  });
});

test('check › names the pool that has seen more than a store that only reads', async (t) => {
  const { store } = await newStore(t, {
    plugin: (plugin) => intercepting(plugin, async ({ method, go }) => (method === 'markEpoch' ? { epoch: 1_000_000 } : go())),
  });
  const faults = (await store.check()).get('vs1/files') ?? [];
  t.is(faults.length, 1);
  t.regex(faults[0] ?? '', /only reads.*reconcile with accept/);
});
