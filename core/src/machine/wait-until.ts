import { type FSWatcher, watch } from 'node:fs';

export interface WaitOptions {
  readonly limitMs: number;
  readonly signal?: AbortSignal;
  /** A folder or file whose change makes it look again at once. */
  readonly watch?: string;
  /** In milliseconds; pauses grow from 5 to this, 200 unless told. */
  readonly longestPauseMs?: number;
}

const firstPauseMs = 5;

/** A timer of more fires at once. */
export const longestTimerMs = 2 ** 31 - 1;

/** Looks until `look` finds something; undefined when it did not within the limit, or until the signal. */
export async function waitUntil<T>(look: () => T | undefined | Promise<T | undefined>, options: WaitOptions): Promise<T | undefined> {
  const deadline = performance.now() + options.limitMs;
  using events = new Events(options.watch);
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, options.longestPauseMs ?? 200)) {
    const found = await look();
    if (found !== undefined) return found;
    const leftMs = deadline - performance.now();
    if (leftMs <= 0 || options.signal?.aborted === true) return undefined;
    await events.pause(Math.min(pauseMs, leftMs), options.signal);
  }
}

/** Pauses that a change of the watched path cuts short. Events are a speed-up only: not every file system sends them. */
class Events implements Disposable {
  #watcher: FSWatcher | undefined;
  #wake: (() => void) | undefined;

  constructor(path: string | undefined) {
    if (path === undefined) return;
    try {
      this.#watcher = watch(path, { persistent: false }, () => this.#wake?.());
      this.#watcher.on('error', () => this.#close());
    } catch {
      // No watch can be had here (limit of inotify, path gone): the pauses alone do.
      this.#watcher = undefined;
    }
  }

  pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', wake);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#wake = wake;
      signal?.addEventListener('abort', wake, { once: true });
    });
  }

  #close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}
