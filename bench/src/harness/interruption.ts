import { constants } from 'node:os';

/** A signal that SIGINT, SIGTERM and SIGHUP abort; this process goes on, to clear up, and ends with the exit code of the first of them. */
export function interruption(say: (line: string) => void): AbortSignal {
  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (interrupted.signal.aborted) return;
      say(`${name}: ending what runs, and clearing up`);
      process.exitCode = 128 + constants.signals[name];
      interrupted.abort(new Error(`interrupted by ${name}`));
    });
  }
  return interrupted.signal;
}
