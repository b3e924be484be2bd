import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import type { Segment } from './qemu/arguments.js';

/** A port of the loopback that nobody listens on now; another program may take it before it is used. */
export function drawPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (typeof address === 'object' && address !== null ? resolve(address.port) : reject(new TypeError('no port'))));
    });
  });
}

/** A network that no other lab draws, but by an accident of one in billions. */
export function drawSegment(): Segment {
  return { group: `230.${randomInt(1, 255)}.${randomInt(0, 256)}.${randomInt(1, 255)}`, port: randomInt(20_000, 60_000) };
}
