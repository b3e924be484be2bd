import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { makeDataDirectory } from '../client/data-directory.js';
import { failure } from '../client/failure.js';
import { configurationOf, runningSocket, socketName, stateDirectoryOf } from '../client/find-client.js';
import type { Context } from '../context/context.js';

/** Where the REST server listens unless told. */
export const defaultPort = 8_420;
/** How long a start waits for commands that have the store open. */
const lockLimitMs = 10_000;
/** How long a clean end may take. */
const closeLimitMs = 15_000;

export interface ServerOptions {
  readonly host: string;
  /** Further names by which it may be asked. */
  readonly hosts?: readonly string[];
  readonly port: number;
  readonly level: string;
  readonly socket?: string;
}

/** Serves until it is interrupted, then closes in order. @throws FAILED_PRECONDITION: another server has the store. */
export async function runServer(context: Context, { host, port, level, socket, hosts }: ServerOptions): Promise<void> {
  const { settings, signal } = context;
  if (settings.endpoint !== undefined)
    throw failure('INVALID_ARGUMENT', 'serve makes a server and asks none: leave --endpoint and VBS_ENDPOINT out', {
      context: { field: 'endpoint' },
    });
  if (settings.config === undefined) await makeDataDirectory(settings.dataDirectory);
  const stateDirectory = await stateDirectoryOf(settings);
  const { takeStoreLock, holderOf } = await import('../client/store-lock.js');
  const usual = join(stateDirectory, socketName);
  if ((await runningSocket(stateDirectory)) !== null)
    throw failure(
      'FAILED_PRECONDITION',
      `${stateDirectory} is served already, by ${(await holderOf(stateDirectory)) ?? `unix:${usual}`}: use that server, or end it and start again`,
      {
        context: { reason: 'served-already', endpoint: `unix:${usual}` },
      },
    );
  const lock = await takeStoreLock(stateDirectory, 'alone', { signal, limitMs: lockLimitMs });
  try {
    await lock.describe(`the server with pid ${process.pid}`);
    const [{ serve }, { pino }] = await Promise.all([import('@vbs/server'), import('pino')]);
    const log = pino({ level }, pino.destination({ dest: 2, sync: true }));
    context.interrupt.goOnWithoutReader();
    const server = await serve({
      configuration: await configurationOf(settings),
      host,
      port,
      socket: socket === undefined ? usual : resolve(socket),
      hosts: hosts ?? [],
      log,
    });
    await lock.describe(`the server with pid ${process.pid} at ${server.url}`);
    tellReady(context, server.url, server.socket ?? usual);
    await interrupted(signal);
    log.info({ signal: String(signal.reason) }, 'closing');
    await closeWithin(server, closeLimitMs);
  } finally {
    await lock.release();
  }
}

function tellReady(context: Context, url: string, socket: string): void {
  const docs = `${url}/docs`;
  if (context.json) process.stdout.write(`${JSON.stringify({ url, docs, socket, pid: process.pid })}\n`);
  else context.line(`vbs serves ${url} (docs ${docs}, socket ${socket})`);
}

function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise((ended) => {
    if (signal.aborted) ended();
    else signal.addEventListener('abort', () => ended(), { once: true });
  });
}

async function closeWithin(server: { close(): Promise<void> }, limitMs: number): Promise<void> {
  const limit = new AbortController();
  const tooLate = pause(limitMs, 'late' as const, { signal: limit.signal }).catch(() => 'ended' as const);
  const ended = await Promise.race([server.close().then(() => 'ended' as const), tooLate]);
  limit.abort();
  if (ended === 'late')
    throw failure(
      'DEADLINE_EXCEEDED',
      `the server did not close within ${limitMs / 1_000} s; what was under way is taken up at the next start`,
    );
}
