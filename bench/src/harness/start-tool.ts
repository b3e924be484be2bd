import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Cleanup } from './cleanup.js';
import { withinLimit } from './within-limit.js';

const readyLimitMs = 10_000;
const pollMs = 20;
const graceMs = 3_000;
const keptErrorBytes = 4_096;

export interface StartOptions {
  readonly cleanup: Cleanup;
  readonly signal: AbortSignal;
}

/**
 * Starts a tool that serves on a Unix socket, ends when it takes connections there, and has the tool ended by `cleanup`.
 * @throws Error: it ended by itself, or took no connection within 10 s.
 */
export async function startOnSocket(
  [tool, ...args]: readonly [string, ...string[]],
  socket: string,
  { cleanup, signal }: StartOptions,
): Promise<void> {
  const child = spawn(tool, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-keptErrorBytes);
  });
  const started = new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  await started;
  cleanup.defer(`ending ${tool}`, () => endProcess(child));
  for (const end = performance.now() + readyLimitMs; performance.now() < end; await pause(pollMs, undefined, { signal })) {
    if (hasEnded(child)) throw new Error(`${tool} ended before it served: ${errors.trim()}`);
    if (await takesConnections(socket)) return;
  }
  throw new Error(`${tool} took no connection within ${readyLimitMs} ms: ${errors.trim()}`);
}

/** Ends a process and its group: SIGTERM, and SIGKILL when it has not ended within 3 s. */
export async function endProcess(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined || hasEnded(child)) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  process.kill(-pid, 'SIGTERM');
  try {
    await withinLimit(ended, graceMs, 'ending by SIGTERM');
  } catch {
    // It does not listen to SIGTERM; nothing withstands the next one.
    if (!hasEnded(child)) process.kill(-pid, 'SIGKILL');
    await ended;
  }
}

export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

function takesConnections(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
