import { mkdir, open, readFile } from 'node:fs/promises';
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

/**
 * Takes the lock of a state directory: `alone` for a server, which owns what lives in a process (safety F1) for as long as it runs;
 * `shared` by commands that open the store themselves for a moment.
 * @throws FAILED_PRECONDITION: others hold it for longer than the limit; the message names them.
 */
export async function takeStoreLock(
  stateDirectory: string,
  mode: 'alone' | 'shared',
  { signal, limitMs }: { readonly signal: AbortSignal; readonly limitMs: number },
): Promise<StoreLock> {
  const { tryLock } = await import('@vbs/core/posix');
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
  const path = join(stateDirectory, lockName);
  // Appending opens without emptying: the content is the holder's, who may be another.
  const file = await open(path, 'a+', 0o600);
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
      await file.close();
    },
  };
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
