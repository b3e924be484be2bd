import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { root } from './markdown.js';

const readyMs = 60_000;
const endMs = 20_000;

/** A free port of 127.0.0.1. Another may take it in between: whoever uses it must then fail loudly. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

/**
 * Starts `vbs serve` on a data directory and answers where it listens (`127.0.0.1:PORT`) once it is ready. Ended with the test, by SIGTERM.
 * @throws Error: it ended, or is not ready within a minute; with what it printed.
 */
export async function startServer(
  t: ExecutionContext,
  dataDirectory: string,
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const address = `127.0.0.1:${await freePort()}`;
  const port = address.slice(address.indexOf(':') + 1);
  const server = spawn(process.execPath, [join(root, 'cli/bin/vbs.js'), 'serve', '--port', port, '--data-dir', dataDirectory], {
    cwd: dataDirectory,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [server.stdout, server.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
  const exited = once(server, 'exit');
  t.teardown(async () => {
    const kill = setTimeout(() => server.kill('SIGKILL'), endMs);
    if (server.kill('SIGTERM')) await exited;
    clearTimeout(kill);
  });
  const over = Date.now() + readyMs;
  while (!(await isReady(address))) {
    if (server.exitCode !== null || server.signalCode !== null) throw new Error(`vbs serve ended; it printed ${printed}`);
    if (Date.now() > over) throw new Error(`vbs serve was not ready within ${readyMs} ms; it printed ${printed}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return address;
}

async function isReady(address: string): Promise<boolean> {
  try {
    const answer = await fetch(`http://${address}/readyz`, { signal: AbortSignal.timeout(5_000) });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    // It does not listen yet; whoever asks has a limit.
    return false;
  }
}
