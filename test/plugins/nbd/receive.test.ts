import { fstatSync, readdirSync, readlinkSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { ByteReader } from '@vbs/plugin-nbd/internal/protocol/byte-reader.js';
import { ConnectionEnded } from '@vbs/plugin-nbd/internal/protocol/byte-reader.js';
import { receive } from '@vbs/plugin-nbd/internal/server/receive.js';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { KiB, MiB, pattern, until } from './nbd-fixture.js';
import { makeDirectory } from './server-fixture.js';

type Road = 'a Unix socket' | 'TCP';

interface Connection {
  readonly client: Socket;
  readonly accepted: Socket;
  readonly socket: Socket;
  readonly reader: ByteReader;
}

const handleOf = (socket: Socket): { fd: number } => (socket as unknown as { _handle: { fd: number } })._handle;

/** One connection, of which `receive` has the accepting end. */
async function makeConnection(t: ExecutionContext, road: Road, prepare: (accepted: Socket) => void = () => undefined): Promise<Connection> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  t.teardown(() => server.close());
  const path = join(await makeDirectory(t), 'receive.sock');
  await new Promise<void>((resolve) => {
    if (road === 'TCP') server.listen(0, '127.0.0.1', resolve);
    else server.listen(path, resolve);
  });
  const accepting = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const address = server.address();
  const client = typeof address === 'string' ? connect(address) : connect({ host: '127.0.0.1', port: address?.port ?? 0 });
  t.teardown(() => client.destroy());
  const accepted = await accepting;
  prepare(accepted);
  const { socket, reader } = receive(accepted);
  t.teardown(() => socket.destroy());
  return { client, accepted, socket, reader };
}

const hidden = (accepted: Socket): void => {
  Object.defineProperty(handleOf(accepted), 'fd', { value: undefined });
};

const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 700 * KiB })), { minLength: 1, maxLength: 12 });

const carries = test.macro({
  async exec(t, road: Road, prepare?: (accepted: Socket) => void) {
    const { client, reader } = await makeConnection(t, road, prepare);
    await fc.assert(
      fc.asyncProperty(sizes, sizes, fc.boolean(), async (sent, asked, fills) => {
        const all = pattern(sent.length, Math.min(sum(sent), sum(asked)));
        let from = 0;
        for (const size of sent) {
          client.write(all.subarray(from, from + size));
          from += size;
        }
        let at = 0;
        for (const size of asked) {
          const length = Math.min(size, all.length - at);
          const expected = all.subarray(at, at + length);
          at += length;
          const here = reader.take(length);
          if (here !== null) t.true(here.equals(expected));
          else if (fills) {
            const target = Buffer.alloc(length);
            await reader.fill(target);
            t.true(target.equals(expected));
          } else t.true((await reader.read(length)).equals(expected));
        }
      }),
      { numRuns: 30 },
    );
  },
  title: (title, road) => `receive › over ${road}${title ?? ''} › carries every byte, however it comes and is asked for`,
});
test(carries, 'a Unix socket');
test(carries, 'TCP');
test(' whose descriptor Node.js does not tell', carries, 'a Unix socket', hidden);

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

for (const road of ['a Unix socket', 'TCP'] as const) {
  test(`receive › over ${road} › uses two buffers, again and again`, async (t) => {
    const { client, reader } = await makeConnection(t, road);
    client.write(Buffer.alloc(8 * MiB));
    const memory = new Set<unknown>();
    for (let left = 8 * MiB; left > 0; ) {
      const here = reader.take(1);
      if (here !== null) memory.add(here.buffer);
      else await reader.discard(1);
      left -= 1;
      const rest = Math.min(left, 4095);
      await reader.discard(rest);
      left -= rest;
    }
    t.true(memory.size === 1 || memory.size === 2, `${memory.size}`);
  });

  test(`receive › over ${road} › with a reader who waits takes two buffers’ worth, and leaves the rest to the sender`, async (t) => {
    const { client, socket, reader } = await makeConnection(t, road);
    const data = pattern(1, 32 * MiB);
    client.write(data);
    await until(() => socket.bytesRead > 0);
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    t.true(socket.bytesRead <= 512 * KiB, `${socket.bytesRead}`);
    t.true((await reader.read(data.length)).equals(data));
  });

  test(`receive › over ${road} › a piece stays as it is until the next is asked for, also when two came before the first was`, async (t) => {
    const { client, socket, reader } = await makeConnection(t, road);
    const data = pattern(1, 32 * MiB);
    client.write(data);
    await until(() => socket.bytesRead > 0);
    const turns = async (): Promise<void> => {
      for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    };
    await turns();
    const here = reader.take(4 * KiB);
    await turns();
    t.true(here?.equals(data.subarray(0, 4 * KiB)));
  });
}

test('receive › gives what came before the end, and then says that no more comes', async (t) => {
  const { client, socket, reader } = await makeConnection(t, 'a Unix socket');
  client.end(Buffer.from('goodbye'));
  await until(() => socket.readableEnded);
  t.is((await reader.read(7)).toString(), 'goodbye');
  await t.throwsAsync(reader.read(1), { instanceOf: ConnectionEnded });
});

test('receive › the end of the connection closes both descriptors', async (t) => {
  const { accepted, socket } = await makeConnection(t, 'a Unix socket');
  const socketLink = `socket:[${fstatSync(handleOf(accepted).fd).ino}]`;
  const descriptors = (): number => readdirSync('/proc/self/fd').filter((fd) => linkOf(fd) === socketLink).length;
  t.is(descriptors(), 2);
  socket.destroy();
  await until(() => descriptors() === 0);
  t.true(accepted.destroyed);
});

/** Null for a descriptor that was closed in the meantime. */
function linkOf(fd: string): string | null {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return null;
  }
}
