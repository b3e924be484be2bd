import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { MiB, makeFixture, pattern, sessionsOf, until } from './nbd-fixture.js';
import { RawClient } from './raw-client.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** What buffers hold that somebody still holds. */
async function heldBytes(): Promise<number> {
  collectGarbage();
  // V8 frees the memory of dead buffers a little later, beside this thread.
  await new Promise((resolve) => setTimeout(resolve, 5));
  return process.memoryUsage().arrayBuffers;
}

const slowReader = test.macro({
  async exec(t, lengthBytes: number, requests: number) {
    const { port, make, connect } = await makeFixture(t);
    await make('exp-1', 32 * MiB);
    await make('exp-2', 8 * MiB);
    const neighbour = await connect('exp-2');
    await neighbour.write(0, pattern(1, MiB));
    const slow = await RawClient.enter(t, port, 'exp-1');
    slow.socket.pause();
    const before = await heldBytes();
    for (let index = 0; index < requests; index += 1) slow.request(0, 0, lengthBytes, { handle: BigInt(index) });
    let most = 0;
    for (let turn = 0; turn < 20; turn += 1) {
      t.true((await neighbour.read(0, 64 * 1024)).equals(pattern(1, MiB).subarray(0, 64 * 1024)), 'the neighbour is served meanwhile');
      most = Math.max(most, (await heldBytes()) - before);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    t.true(most < 32 * MiB, `${(most / MiB).toFixed(1)} MiB for ${(requests * lengthBytes) / MiB} MiB of replies that nobody reads`);
    slow.socket.resume();
    for (let index = 0; index < Math.min(requests, 4); index += 1) {
      const { error } = await slow.reply();
      t.is(error, 0);
      await slow.read(lengthBytes);
    }
  },
  title: (_, lengthBytes, requests) => `a slow reader › of ${requests} replies of ${lengthBytes} bytes cannot grow the server’s memory`,
});
test.serial(slowReader, 32 * MiB, 64);
test.serial(slowReader, MiB, 512);
test.serial(slowReader, 4096, 60_000);

test.serial('a fast writer › is held back by the disk: data waits in the client, not in the server', async (t) => {
  const { port, make } = await makeFixture(t);
  await make('exp-1', 64 * MiB);
  const client = await RawClient.enter(t, port, 'exp-1');
  const before = await heldBytes();
  const data = pattern(3, MiB);
  let most = 0;
  let answered = 0;
  const answers = (async () => {
    for (; answered < 256; answered += 1) t.is((await client.reply()).error, 0);
  })();
  for (let index = 0; index < 256; index += 1) {
    client.request(1, (index % 64) * MiB, MiB, { data, flags: 1, handle: BigInt(index) });
    // What this side has not yet sent is this test's own memory.
    if (index % 8 === 7) most = Math.max(most, (await heldBytes()) - before - client.socket.writableLength);
    if (client.socket.writableNeedDrain) await new Promise((resolve) => client.socket.once('drain', resolve));
  }
  await answers;
  t.true(most < 64 * MiB, `${(most / MiB).toFixed(1)} MiB of 256`);
});

test.serial('a client that does not take its replies › is dropped at the stall limit', async (t) => {
  const { port, make, exporter, log } = await makeFixture(t, { stallTimeLimitMs: 200 });
  await make('exp-1', 64 * MiB);
  const slow = await RawClient.enter(t, port, 'exp-1');
  slow.socket.pause();
  slow.request(0, 0, 32 * MiB);
  await until(async () => (await sessionsOf(exporter, 'exp-1')) === 0);
  t.false(log.some(({ level }) => level === 'error'));
});
