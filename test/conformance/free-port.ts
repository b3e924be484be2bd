import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that the kernel gives to clients (32768 on), so that no client of another test takes one in between. */
const first = 15_000;
const count = 17_000;
const tries = 100;
let next = Math.floor(Math.random() * count);

/** A TCP port of 127.0.0.1 on which nobody listens: an exporter that is opened again must come back on its own. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < tries; attempt++) {
    next = (next + 1) % count;
    const port = first + next;
    const server = createServer().listen(port, '127.0.0.1');
    const free = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error(`none of ${tries} ports was free`);
}
