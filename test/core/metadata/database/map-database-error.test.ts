import { type ErrorCode, isVbsError, VbsError } from '@vbs/core';
import { DatabaseBusy, mapDatabaseError } from '@vbs/core/internal/metadata/database/map-database-error.js';
import { UniqueViolation } from '@vbs/core/internal/metadata/database/unique-violation.js';
import test from 'ava';

const place = { filename: '/data/vbs.sqlite', copies: [], freeBytes: 1e9 };
const failure = (code: string, message = code) => Object.assign(new Error(message), { code });

const becomes = test.macro({
  exec: (t, code: string, expected: ErrorCode, freeBytes: number | null = 1e9) => {
    const error = mapDatabaseError(failure(code), { ...place, freeBytes });
    t.true(isVbsError(error));
    t.is((error as VbsError).code, expected);
    t.true((error as VbsError).message.includes(place.filename) || expected === 'INTERNAL');
  },
  title: (what, code, expected) => `mapDatabaseError › ${code}${what ?? ''} becomes ${expected}`,
});

for (const code of ['SQLITE_BUSY', 'SQLITE_LOCKED', 'SQLITE_PROTOCOL', 'SQLITE_BUSY_SNAPSHOT']) test(becomes, code, 'UNAVAILABLE');
for (const code of ['SQLITE_FULL', 'ENOSPC', 'EDQUOT']) test(becomes, code, 'RESOURCE_EXHAUSTED');
for (const code of ['SQLITE_PERM', 'EACCES', 'EPERM']) test(becomes, code, 'PERMISSION_DENIED');
for (const code of ['SQLITE_READONLY', 'SQLITE_CANTOPEN', 'EROFS', 'ENOENT', 'SQLITE_CORRUPT', 'SQLITE_NOTADB']) {
  test(becomes, code, 'FAILED_PRECONDITION');
}
test(becomes, 'SQLITE_IOERR', 'UNAVAILABLE');
test(' on a full file system', becomes, 'SQLITE_IOERR', 'RESOURCE_EXHAUSTED', 0);
test(becomes, 'SQLITE_ERROR', 'INTERNAL');

test('mapDatabaseError › only a database that is held is tried again', (t) => {
  t.true(mapDatabaseError(failure('SQLITE_BUSY'), place) instanceof DatabaseBusy);
  t.false(mapDatabaseError(failure('SQLITE_IOERR'), place) instanceof DatabaseBusy);
});

test('mapDatabaseError › leaves what is no failure of the database as it is', (t) => {
  for (const error of [new TypeError('mistake'), new VbsError('ABORTED', 'no'), failure('ECONNRESET'), 'text', undefined]) {
    t.is(mapDatabaseError(error, place), error);
  }
});

test('mapDatabaseError › a broken unique key names its table and columns, or its index', (t) => {
  const keyOf = (code: string, message: string) => {
    const error = mapDatabaseError(failure(code, message), place);
    return error instanceof UniqueViolation ? error.key : null;
  };
  t.deepEqual(keyOf('SQLITE_CONSTRAINT', 'SQLITE_CONSTRAINT: UNIQUE constraint failed: a.b, a.c'), {
    table: 'a',
    columns: ['b', 'c'],
    index: null,
  });
  t.deepEqual(keyOf('SQLITE_CONSTRAINT_UNIQUE', 'UNIQUE constraint failed: a.b'), { table: 'a', columns: ['b'], index: null });
  t.deepEqual(keyOf('SQLITE_CONSTRAINT', "SQLITE_CONSTRAINT: UNIQUE constraint failed: index 'live'"), {
    table: null,
    columns: [],
    index: 'live',
  });
  t.is(keyOf('SQLITE_CONSTRAINT', 'SQLITE_CONSTRAINT: CHECK constraint failed: size_is_safe_integer'), null);
});
