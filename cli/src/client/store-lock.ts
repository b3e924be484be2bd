import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { failure } from './failure.js';

/** The right to open a store, held until `release` or the end of this process, whatever ends it. */
export interface StoreLock {
  /** Told to whoever is refused. */
  describe(holder: string): Promise<void>;
  release(): Promise<void>;
}

const pollMs = 50;
const lockName = 'vbs.lock';
const othersMayWrite = 0o002;

/**
 * Takes the lock of a state directory: `alone` for a server, which owns what lives in a process (safety F1) for as long as it runs;
 * `shared` by commands that open the store themselves for a moment.
 * @throws FAILED_PRECONDITION: others hold it for longer than the limit; the message names them.
 * @throws PERMISSION_DENIED: the directory is another user's, others may write in it, or this user may not. RESOURCE_EXHAUSTED: the disk is full.
 */
export async function takeStoreLock(
  stateDirectory: string,
  mode: 'alone' | 'shared',
  { signal, limitMs }: { readonly signal: AbortSignal; readonly limitMs: number },
): Promise<StoreLock> {
  const { tryLock, unlock } = await import('@vbs/core/posix');
  const file = await openLock(stateDirectory);
  try {
    for (const end = performance.now() + limitMs; !tryLock(file.fd, mode === 'alone' ? 'exclusive' : 'shared'); ) {
      if (performance.now() > end) throw await held(stateDirectory, mode);
      await pause(pollMs, undefined, { signal });
    }
    // Nobody alone has it now: what a killed server wrote is not true any more.
    await file.truncate(0);
  } catch (error) {
    await file.close();
    throw error;
  }
  return {
    describe: async (holder) => {
      await file.truncate(0);
      await file.appendFile(`${holder}\n`);
    },
    // The file stays: removing it would let two processes lock two files of one name.
    release: async () => {
      if (mode === 'alone') await file.truncate(0);
      unlock(file.fd);
      await file.close();
    },
  };
}

/** Appending opens without emptying: the content is the holder's, who may be another. A link is not followed: what it names would be emptied. */
async function openLock(stateDirectory: string): Promise<FileHandle> {
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW } = constants;
  try {
    await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
    await requireOwn(stateDirectory);
    return await open(join(stateDirectory, lockName), O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
  } catch (cause) {
    throw cannotLock(stateDirectory, cause);
  }
}

/**
 * What root makes in another user's store, that user can neither change nor delete; and who may write in a directory can put links to
 * other files there.
 */
async function requireOwn(stateDirectory: string): Promise<void> {
  const { uid, mode } = await stat(stateDirectory);
  const own = process.geteuid?.() ?? uid;
  if (uid !== own)
    throw failure(
      'PERMISSION_DENIED',
      `${stateDirectory} belongs to the user ${uid}, and this is ${own}: run the command as that user, or give the directory and all in it to this one`,
      { context: { path: stateDirectory, reason: 'other-user' } },
    );
  if ((mode & othersMayWrite) === 0) return;
  throw failure('PERMISSION_DENIED', `others may write in ${stateDirectory}: chmod 0700 ${stateDirectory}, and look what they left there`, {
    context: { path: stateDirectory, reason: 'open-to-others' },
  });
}

function cannotLock(stateDirectory: string, cause: unknown): unknown {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const context = { path: join(stateDirectory, lockName), reason: code };
  if (code === 'ELOOP')
    return failure('FAILED_PRECONDITION', `${context.path} is a link: take it away, the lock of the store is to lie there`, {
      context,
      cause,
    });
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM')
    return failure(
      'PERMISSION_DENIED',
      `${context.path} cannot be written (${code}): mount its disk read-write, or give the directory to this user`,
      {
        context,
        cause,
      },
    );
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return failure('RESOURCE_EXHAUSTED', `${context.path} cannot be made (${code}): free some room on its file system`, { context, cause });
  return cause;
}

/** Who has the lock of a state directory, in words; null when it did not say. */
export async function holderOf(stateDirectory: string): Promise<string | null> {
  try {
    return (await readFile(join(stateDirectory, lockName), 'utf8')).trim() || null;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

async function held(stateDirectory: string, mode: 'alone' | 'shared') {
  const who = (await holderOf(stateDirectory)) ?? 'another command';
  return failure(
    'FAILED_PRECONDITION',
    mode === 'alone'
      ? `${stateDirectory} is in use by ${who}: end it, or wait until it has ended, and start again`
      : `${stateDirectory} is in use by ${who}, which does not answer at its socket: wait until it has started, or look why it hangs`,
    { context: { reason: 'store-in-use', holder: who } },
  );
}
