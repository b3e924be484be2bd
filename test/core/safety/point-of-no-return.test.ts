import test from 'ava';
import { gate, MiB, until } from '../../support/store.js';
import { attachmentOf, hookedStore, operationOf, place, standingClock, untilState, volumeOf, wait } from './fixture.js';

const afterTheHypervisor = test.macro(async (t, how: 'deadline' | 'cancel') => {
  const [asked, go] = [gate(), gate()];
  const { clock, pass } = standingClock();
  const bench = await hookedStore(
    t,
    async (intercepted) => {
      if (intercepted.method !== 'deleteExport') return intercepted.go();
      asked.open();
      await go.opened;
      // As a tool does that notices that it is cancelled.
      intercepted.call.signal.throwIfAborted();
      return intercepted.go();
    },
    { services: { clock } },
  );
  t.teardown(go.open);
  const { store } = bench;
  const { id: volumeId } = await bench.volume(MiB);
  await store.attachVolume({ volumeId, ...place }, wait);
  let operationId = '';
  const onOperation = (id: string): void => {
    operationId = id;
  };
  const detaching = store.detachVolume({ volumeId }, { wait: true, onOperation, ...(how === 'deadline' ? { deadlineMs: 50 } : {}) });
  await asked.opened;
  t.deepEqual(bench.vm('vm1').devices(), []);
  if (how === 'cancel') await store.cancelOperation(operationId);
  else pass();
  // The deadline is looked at every 50 ms.
  await new Promise((resolve) => setTimeout(resolve, 300));
  go.open();
  t.is((await detaching).state, 'detached');
  t.is((await operationOf(store, operationId))?.state, 'succeeded');
  t.is((await volumeOf(store, volumeId))?.state, 'available');
});
test('A4 › a deadline after the disk left the VM does not stop the detach', afterTheHypervisor, 'deadline');
test('A4 › a cancel after the disk left the VM does not stop the detach', afterTheHypervisor, 'cancel');

test('A4 › a stuck operation past its deadline and past the way back is tried on, and ends', async (t) => {
  let fails = 3;
  const { clock, pass } = standingClock();
  const bench = await hookedStore(
    t,
    async ({ method, call, go }) => {
      if (method !== 'deleteExport') return go();
      pass();
      call.signal.throwIfAborted();
      if (fails > 0) {
        fails -= 1;
        throw new Error('the daemon restarts');
      }
      return go();
    },
    { services: { clock } },
  );
  const { store } = bench;
  const { id: volumeId } = await bench.volume(MiB);
  await store.attachVolume({ volumeId, ...place }, wait);
  let operationId = '';
  const onOperation = (id: string): void => {
    operationId = id;
  };
  await t.throwsAsync(store.detachVolume({ volumeId }, { wait: true, deadlineMs: 50, onOperation }));
  await untilState(store, operationId, 'succeeded');
  t.is((await attachmentOf(store, volumeId))?.state, 'detached');
  // Tried a few times, and not over and over.
  await until('a short journal', async () => (await store.describeJournal(operationId)).length < 20);
});
