import { unlessCode, VbsError } from '@vbs/core';
import test from 'ava';

const absent = new VbsError('NOT_FOUND', 'gone');

test('unlessCode › answers what the act answers', async (t) => {
  t.is(await unlessCode('NOT_FOUND', Promise.resolve(7)), 7);
});

test('unlessCode › answers undefined for its code, and for each of several', async (t) => {
  t.is(await unlessCode('NOT_FOUND', Promise.reject(absent)), undefined);
  t.is(await unlessCode(['PERMISSION_DENIED', 'NOT_FOUND'], Promise.reject(absent)), undefined);
});

test('unlessCode › throws another code, and what is no VbsError, as it is', async (t) => {
  t.is(await t.throwsAsync(unlessCode('ALREADY_EXISTS', Promise.reject(absent))), absent);
  const strange = Object.assign(new Error('strange'), { code: 'NOT_FOUND' });
  t.is(await t.throwsAsync(unlessCode('NOT_FOUND', Promise.reject(strange))), strange);
});
