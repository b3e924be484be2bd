import { type Call, VbsError } from '@vbs/core';
import { ExportTurns } from '@vbs/core/exporter-support';
import test from 'ava';

const call = {} as Call;
const exportId = 'exp-0123456789abcdef0';
const cancelled = new VbsError('ABORTED', 'cancelled', { context: { by: 'the caller' } });

test('ExportTurns › changes of one export follow each other, also after one that failed', async (t) => {
  const turns = new ExportTurns(() => false);
  const order: string[] = [];
  const first = turns.run(call, exportId, async () => {
    order.push('first begins');
    await new Promise(setImmediate);
    order.push('first ends');
    throw new VbsError('NOT_FOUND', 'gone');
  });
  const second = turns.run(call, exportId, async () => order.push('second'));
  await t.throwsAsync(first, { message: 'gone' });
  await second;
  t.deepEqual(order, ['first begins', 'first ends', 'second']);
});

test('ExportTurns › changes of two exports run side by side', async (t) => {
  const turns = new ExportTurns(() => false);
  let release = (): void => undefined;
  const first = turns.run(call, 'exp-1', () => new Promise<void>((resolve) => (release = resolve)));
  await turns.run(call, 'exp-2', async () => undefined);
  release();
  await t.notThrowsAsync(first);
});

test('ExportTurns › A1 a call that was cancelled after it changed something is unknown', async (t) => {
  const turns = new ExportTurns((asked) => asked === call);
  const error = await t.throwsAsync(turns.run(call, exportId, () => Promise.reject(cancelled)));
  t.like(error, {
    code: 'DEADLINE_EXCEEDED',
    message: `${exportId} was changed in part: cancelled`,
    resource: exportId,
    context: { by: 'the caller' },
  });
  t.is(error?.cause, cancelled);
});

test('ExportTurns › a call that was cancelled before it changed anything has changed nothing', async (t) => {
  t.is(await t.throwsAsync(new ExportTurns(() => false).run(call, exportId, () => Promise.reject(cancelled))), cancelled);
});

test('ExportTurns › another error stays what it is', async (t) => {
  const error = new VbsError('FAILED_PRECONDITION', 'an initiator is connected');
  t.is(await t.throwsAsync(new ExportTurns(() => true).run(call, exportId, () => Promise.reject(error))), error);
});
