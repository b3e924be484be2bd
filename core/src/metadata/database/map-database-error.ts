import { dirname } from 'node:path';
import { VbsError } from '../../errors.js';
import { type UniqueKey, UniqueViolation } from './unique-violation.js';

/** Another connection held the database longer than this one may wait; nothing was changed. */
export class DatabaseBusy extends VbsError {}

/** What a message about a database file needs to say what to do. */
export interface DatabasePlace {
  readonly filename: string;
  /** The copies made before migrations, the newest first. */
  readonly copies: readonly string[];
  /** Free room on the file system in bytes; null where it cannot be told. */
  readonly freeBytes: number | null;
}

/** Below this, an I/O error is told as a full disk: SQLite says SQLITE_IOERR where its shared memory file cannot grow. */
const nearlyFullBytes = 256 * 1024;

/** A failed call of the driver or of node:fs on the database's files as a VbsError. What is neither comes back unchanged. */
export function mapDatabaseError(error: unknown, place: DatabasePlace): unknown {
  if (!(error instanceof Error) || error instanceof VbsError) return error;
  if (error.name === 'KnexTimeoutError') return busy(place, error);
  const code = (error as NodeJS.ErrnoException).code;
  if (typeof code !== 'string') return error;
  // better-sqlite3 gives extended codes: SQLITE_CONSTRAINT_UNIQUE.
  const known = code.startsWith('SQLITE_') ? primaryCode(code) : code;
  return mappers[known]?.(place, error) ?? (code.startsWith('SQLITE_') ? internal(place, error) : error);
}

export function primaryCode(code: string): string {
  return code.split('_').slice(0, 2).join('_');
}

type Mapper = (place: DatabasePlace, error: Error) => VbsError;

const facts = (place: DatabasePlace, error: Error) => ({
  context: { database: place.filename, reason: (error as NodeJS.ErrnoException).code ?? error.name },
  cause: error,
});

const busy: Mapper = (place, error) =>
  new DatabaseBusy('UNAVAILABLE', `the database ${place.filename} is held by another process: try again`, facts(place, error));

const internal: Mapper = (place, error) =>
  new VbsError('INTERNAL', `the database refused a statement: ${error.message}`, facts(place, error));

const full: Mapper = (place, error) =>
  new VbsError(
    'RESOURCE_EXHAUSTED',
    `no room for the database ${place.filename}: free some on its file system; the statement changed nothing`,
    facts(place, error),
  );

const noPermission: Mapper = (place, error) =>
  new VbsError(
    'PERMISSION_DENIED',
    `this user may not use the database ${place.filename}: the file, and the folder ${dirname(place.filename)}, must belong to it and be writable`,
    facts(place, error),
  );

const readOnly: Mapper = (place, error) =>
  new VbsError(
    'FAILED_PRECONDITION',
    `the database ${place.filename} cannot be written: the file system is mounted read-only, or the file or its folder was replaced or write-protected; make it writable and start again`,
    facts(place, error),
  );

const gone: Mapper = (place, error) =>
  new VbsError(
    'FAILED_PRECONDITION',
    `the database ${place.filename} is gone: it was moved or removed while VBS ran; put it back, with its -wal file, and start again`,
    facts(place, error),
  );

const damaged: Mapper = (place, error) => {
  const remedy =
    place.copies.length > 0
      ? `restore the newest copy that is whole: ${place.copies.join(', ')}`
      : 'restore it from a backup (there is no copy beside it)';
  return new VbsError(
    'FAILED_PRECONDITION',
    `the database file ${place.filename} is damaged, or is no database: stop VBS, keep the file for a look, and ${remedy}`,
    { context: { database: place.filename, copies: place.copies, reason: (error as NodeJS.ErrnoException).code }, cause: error },
  );
};

const io: Mapper = (place, error) =>
  place.freeBytes !== null && place.freeBytes < nearlyFullBytes
    ? full(place, error)
    : new VbsError('UNAVAILABLE', `the disk under the database ${place.filename} failed: see the kernel's log`, facts(place, error));

const constraint: Mapper = (place, error) => {
  const key = parseUniqueKey(error.message);
  return key === null ? internal(place, error) : new UniqueViolation(key, error);
};

const mappers: Readonly<Record<string, Mapper>> = {
  SQLITE_CONSTRAINT: constraint,
  SQLITE_BUSY: busy,
  SQLITE_LOCKED: busy,
  SQLITE_PROTOCOL: busy,
  SQLITE_FULL: full,
  ENOSPC: full,
  EDQUOT: full,
  SQLITE_PERM: noPermission,
  SQLITE_AUTH: noPermission,
  EACCES: noPermission,
  EPERM: noPermission,
  SQLITE_READONLY: readOnly,
  SQLITE_CANTOPEN: readOnly,
  EROFS: readOnly,
  ENOENT: gone,
  SQLITE_CORRUPT: damaged,
  SQLITE_NOTADB: damaged,
  SQLITE_IOERR: io,
  EIO: io,
};

/** `UNIQUE constraint failed: t.a, t.b`, or for an index over expressions `UNIQUE constraint failed: index 'name'`; null for other texts. */
export function parseUniqueKey(message: string): UniqueKey | null {
  const what = /UNIQUE constraint failed: (.+)$/.exec(message)?.[1];
  if (what === undefined) return null;
  const index = /^index '(.*)'$/.exec(what)?.[1];
  if (index !== undefined) return { table: null, columns: [], index };
  const names = what.split(', ').map((name) => name.split('.'));
  return { table: names[0]?.[0] ?? null, columns: names.map((name) => name.slice(1).join('.')), index: null };
}
