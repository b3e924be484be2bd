import { VbsError } from '@vbs/core';
import { closeInOrder } from '@vbs/core/internal/close-in-order.js';
import test from 'ava';

test('closeInOrder › closes one after the other', async (t) => {
  const closed: string[] = [];
  const part = (name: string, ms: number) =>
    [
      name,
      () =>
        new Promise<void>((resolve) =>
          setTimeout(() => {
            closed.push(name);
            resolve();
          }, ms),
        ),
    ] as const;
  await closeInOrder([part('first', 30), part('second', 0)], 5_000);
  t.deepEqual(closed, ['first', 'second']);
});

test('closeInOrder › one that hangs, or fails, keeps no other open, and all are told', async (t) => {
  let closed = false;
  const begun = performance.now();
  const error = await t.throwsAsync(
    closeInOrder(
      [
        ['what hangs', () => new Promise(() => undefined)],
        [
          'what fails',
          async () => {
            throw new VbsError('UNAVAILABLE', 'it does not answer');
          },
        ],
        [
          'the last',
          async () => {
            closed = true;
          },
        ],
      ],
      100,
    ),
    { code: 'INTERNAL', message: /what hangs did not close in time.*it does not answer/ },
  );
  t.true(performance.now() - begun < 2_000);
  t.true(closed);
  t.like(error, { context: { failures: { length: 2, 0: { code: 'DEADLINE_EXCEEDED' }, 1: { code: 'UNAVAILABLE' } } } });
});

test('closeInOrder › one failure alone is thrown as it is', async (t) => {
  const failure = new VbsError('UNAVAILABLE', 'it does not answer');
  t.is(await t.throwsAsync(closeInOrder([['x', () => Promise.reject(failure)]], 100)), failure);
});
