import { VbsError } from '@vbs/core';
import { ensureEach } from '@vbs/core/exporter-support';
import test from 'ava';

const requests = Array.from({ length: 9 }, (_, index) => ({ exportId: `exp-${index}` }));

test('ensureEach › makes each once, at most 4 at once', async (t) => {
  const made: string[] = [];
  let running = 0;
  let most = 0;
  await ensureEach(requests, async ({ exportId }) => {
    most = Math.max(most, ++running);
    await new Promise(setImmediate);
    running--;
    made.push(exportId);
  });
  t.deepEqual(
    made.toSorted(),
    requests.map(({ exportId }) => exportId),
  );
  t.is(most, 4);
});

test('ensureEach › tries all also after failures, and tells each of them with the code of the first', async (t) => {
  const tried: string[] = [];
  const error = await t.throwsAsync(
    ensureEach(requests, async ({ exportId }) => {
      tried.push(exportId);
      if (exportId === 'exp-1') throw new VbsError('NOT_FOUND', 'no volume');
      if (exportId === 'exp-7') throw new TypeError('broken');
    }),
  );
  t.is(tried.length, requests.length);
  t.is(error?.message, 'not made again: exp-1 (no volume); exp-7 (broken)');
  t.like(error, {
    code: 'NOT_FOUND',
    resource: 'exp-1',
    context: {
      failures: [
        { exportId: 'exp-1', message: 'no volume' },
        { exportId: 'exp-7', message: 'broken' },
      ],
    },
  });
});

test('ensureEach › one that throws at once, and not by a promise, is a failure like any other', async (t) => {
  await t.throwsAsync(
    ensureEach(requests, () => {
      throw new VbsError('PERMISSION_DENIED', 'no');
    }),
    { message: /exp-0 \(no\).*exp-8 \(no\)/ },
  );
});

test('ensureEach › nothing to make is done', async (t) => {
  await t.notThrowsAsync(ensureEach([], () => Promise.reject(new Error('never called'))));
});
