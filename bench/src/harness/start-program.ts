import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Cleanup } from './cleanup.js';
import { endProcess, hasEnded } from './start-tool.js';
import { withinLimit } from './within-limit.js';

const readyLimitMs = 60_000;
const leaveLimitMs = 15_000;
const keptErrorBytes = 4_096;

export interface Program<R> {
  readonly pid: number;
  /** What it said when it was ready. */
  readonly ready: R;
}

/**
 * Starts a module of this package in a Node.js process of its own (see `serveParent`) and ends when it is ready. `cleanup` tells it to
 * close by hanging up, and ends it by force if it stays.
 * @throws Error: it ended, or was not ready within a minute.
 */
export async function startProgram<R>(
  module: URL,
  argument: object,
  { cleanup, signal }: { readonly cleanup: Cleanup; readonly signal: AbortSignal },
): Promise<Program<R>> {
  // A group of its own: Ctrl-C reaches this process alone, which then ends the program in order.
  const child = fork(fileURLToPath(module), [JSON.stringify(argument)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], detached: true });
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-keptErrorBytes);
  });
  cleanup.defer('ending a program of the measurements', async () => {
    if (hasEnded(child)) return;
    const ended = once(child, 'exit');
    if (child.connected) child.disconnect();
    await withinLimit(ended, leaveLimitMs, 'ending by itself').finally(() => endProcess(child));
  });
  const ended = once(child, 'exit', { signal }).then(() => {
    throw new Error(`a program of the measurements ended before it was ready: ${reasonIn(errors)}`);
  });
  const said = once(child, 'message', { signal }).then(([message]) => message as R);
  const ready = await withinLimit(Promise.race([said, ended]), readyLimitMs, 'starting a program of the measurements');
  if (child.pid === undefined) throw new TypeError('a process that speaks has a pid');
  return { pid: child.pid, ready };
}

/** The error in what Node.js prints of one, which begins with the place in the source. */
function reasonIn(printed: string): string {
  const lines = printed.split('\n').filter((line) => line.trim() !== '');
  return lines.find((line) => /Error\b/.test(line) && !/^\s+at /.test(line)) ?? lines.at(-1) ?? 'it printed nothing';
}
