import { type Call, VbsError } from '@vbs/core';
import { SharedRead } from '@vbs/plugin-nimbus/internal/shared-read.js';
import test from 'ava';
import { gate } from '../../support/store.js';
import { aCall } from '../sandbox/fixture.js';

/** Reads that answer their number when they are let. */
function reads() {
  const begun: { readonly call: Call; readonly end: ReturnType<typeof gate> }[] = [];
  const shared = new SharedRead(async (call) => {
    const end = gate();
    const nth = begun.push({ call, end });
    await Promise.race([
      end.opened,
      new Promise((_resolve, reject) => call.signal.addEventListener('abort', () => reject(new VbsError('DEADLINE_EXCEEDED', 'ended')))),
    ]);
    return nth;
  });
  return { shared, begun };
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('E3 › SharedRead › who comes while a read runs gets the next one, begun after it came, and all who wait get the same', async (t) => {
  const { shared, begun } = reads();
  const first = [shared.run(aCall()), shared.run(aCall())];
  await turn();
  t.is(begun.length, 1);
  const second = [shared.run(aCall()), shared.run(aCall()), shared.run(aCall())];
  await turn();
  t.is(begun.length, 1, 'at most one at a time');
  begun[0]?.end.open();
  t.deepEqual(await Promise.all(first), [1, 1]);
  await turn();
  begun[1]?.end.open();
  t.deepEqual(await Promise.all(second), [2, 2, 2]);
  t.is(begun.length, 2);
});

test('SharedRead › who gives up takes the read from nobody else; when all have, it is ended and the next one begins', async (t) => {
  const { shared, begun } = reads();
  const [one, other] = [new AbortController(), new AbortController()];
  const first = shared.run(aCall(one.signal));
  const second = shared.run(aCall(other.signal));
  await turn();
  const waiting = shared.run(aCall());
  one.abort(new VbsError('DEADLINE_EXCEEDED', 'too long'));
  await t.throwsAsync(first, { code: 'DEADLINE_EXCEEDED', message: 'too long' });
  t.false(begun[0]?.call.signal.aborted);
  other.abort();
  await t.throwsAsync(second, { code: 'ABORTED' });
  t.true(begun[0]?.call.signal.aborted);
  await turn();
  begun[1]?.end.open();
  t.is(await waiting, 2);
});

test('SharedRead › a read that all gave up before it began is not begun, and nobody joins it', async (t) => {
  const { shared, begun } = reads();
  const first = shared.run(aCall());
  await turn();
  const gone = new AbortController();
  const given = shared.run(aCall(gone.signal));
  gone.abort();
  await t.throwsAsync(given, { code: 'ABORTED' });
  const after = shared.run(aCall());
  begun[0]?.end.open();
  t.is(await first, 1);
  await turn();
  begun[1]?.end.open();
  t.is(await after, 2);
  await t.throwsAsync(shared.run(aCall(AbortSignal.abort())), { code: 'ABORTED' });
  t.is(begun.length, 2);
});

test('SharedRead › a read that fails fails for who shared it, and the next one is a new one', async (t) => {
  let fails = true;
  const shared = new SharedRead(async () => {
    if (fails) throw new VbsError('UNAVAILABLE', 'down');
    return 'up';
  });
  await Promise.all([1, 2].map(() => t.throwsAsync(shared.run(aCall()), { code: 'UNAVAILABLE' })));
  fails = false;
  t.is(await shared.run(aCall()), 'up');
});
