import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { SetupError, say } from './setup-error.mjs';

const longestWaitMs = 20 * 60_000;

/**
 * Runs `act` while no other set-up of this checkout runs. The lock is a listening Unix socket with an abstract name: the kernel
 * frees it when its process ends in whatever way, so that none is ever stale.
 */
export async function withLock(root, act) {
  const name = `\0vbs-setup-${createHash('sha256').update(realpathSync(root)).digest('hex').slice(0, 32)}`;
  const deadline = Date.now() + longestWaitMs;
  let server = await listen(name);
  while (server === undefined) {
    await ownerEnds(name, deadline);
    server = await listen(name);
  }
  try {
    return await act();
  } finally {
    server.close();
  }
}

/** The server that holds the lock, or undefined when another process holds it. */
function listen(name) {
  return new Promise((resolve, reject) => {
    const server = createServer((waiter) => {
      // A waiter that goes away is none of our business.
      waiter.on('error', () => waiter.destroy());
      waiter.write(`${process.pid}\n`);
      waiter.unref();
    });
    server.once('error', (error) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    server.listen(name, () => resolve(server));
    server.unref();
  });
}

/** Resolves when the connection to the lock's owner ends, which happens at the latest with its process. */
function ownerEnds(name, deadline) {
  return new Promise((resolve, reject) => {
    let owner = 'unknown';
    const connection = connect(name);
    connection.setTimeout(Math.max(1, deadline - Date.now()), () => {
      connection.destroy();
      reject(new SetupError(`another set-up of this checkout (process ${owner}) has not ended; end it and try again.`));
    });
    connection.once('data', (data) => {
      owner = data.toString().trim();
      say(`another set-up of this checkout is running (process ${owner}); waiting for it`);
    });
    connection.once('close', resolve);
    // Refused: it ended between our two looks.
    connection.on('error', () => connection.destroy());
  });
}
