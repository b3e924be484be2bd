import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NbdClient } from '@vbs/plugin-nbd/client';
import { encodeMetaContextRequest } from '@vbs/plugin-nbd/internal/protocol/meta-contexts.js';
import { encodeInfoRequest, encodeOption } from '@vbs/plugin-nbd/internal/protocol/options.js';
import { encodeRequest } from '@vbs/plugin-nbd/internal/protocol/requests.js';
import type { ExecutionContext } from 'ava';
import { startChild } from '../../support/child.js';
import { makeCertificates } from './certificates.js';
import { KiB, MiB, makeFile, pattern, until } from './nbd-fixture.js';
import { RawClient } from './raw-client.js';
import { makeDirectory } from './server-fixture.js';
import { withTools } from './tools.js';

/** Numbers that follow from a seed: mulberry32. */
function randomly(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
type Random = ReturnType<typeof randomly>;

function noise(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random(256)));
}

/** The message with bits turned, cut short, or followed by noise. */
function spoilt(random: Random, message: Buffer): Buffer {
  const bytes = Buffer.from(message);
  for (let turns = random(4); turns > 0 && bytes.length > 0; turns -= 1) {
    const at = random(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
  }
  const cut = random(3) === 0 ? bytes.subarray(0, random(bytes.length + 1)) : bytes;
  return random(3) === 0 ? Buffer.concat([cut, noise(random, random(200))]) : cut;
}

const none = Buffer.alloc(0);
const go = encodeInfoRequest({ exportName: 'exp-1', types: [0, 1, 2, 3] });
const options = [
  encodeOption(3, none),
  encodeOption(6, go),
  encodeOption(7, go),
  encodeOption(8, none),
  encodeOption(9, encodeMetaContextRequest({ exportName: 'exp-1', queries: [] })),
  encodeOption(10, encodeMetaContextRequest({ exportName: 'exp-1', queries: ['base:allocation', 'x'] })),
  encodeOption(1, Buffer.from('exp-1')),
  encodeOption(5, none),
  encodeOption(4711, Buffer.alloc(100)),
];

/** What a phase has behind it, and what one message of it may look like. */
interface Phase {
  enter(client: RawClient): Promise<RawClient>;
  message(random: Random): Buffer;
}

const phases: Readonly<Record<string, Phase>> = {
  'the greeting': {
    enter: async (client) => client,
    message: (random) => Buffer.concat([Buffer.from([0, 0, 0, random(8)]), options[random(options.length)] ?? none]),
  },
  'the options': {
    enter: async (client) => {
      await client.greet();
      return client;
    },
    message: (random) => options[random(options.length)] ?? none,
  },
  'the TLS handshake': {
    enter: async (client) => {
      await client.greet();
      client.send(encodeOption(5, none));
      await client.optionReply();
      return client;
    },
    message: (random) => Buffer.concat([Buffer.from([0x16, 3, 1 + random(3), 0, 80, 1, 0, 0, 76, 3, 3]), noise(random, 100)]),
  },
  'the options over TLS': {
    enter: async (client) => {
      await client.greet();
      return client.startTls();
    },
    message: (random) => options[random(options.length)] ?? none,
  },
  'the transmission': {
    enter: async (client) => {
      await client.greet();
      for (const option of options.slice(2, 6).reverse()) client.send(option);
      return client;
    },
    message: (random) => {
      const type = random(10);
      const length = random(2) === 0 ? random(64 * KiB) : random(64 * MiB);
      const offset = BigInt(random(random(2) === 0 ? 8 * MiB : 2 ** 31));
      const request = encodeRequest({ type, flags: random(3) === 0 ? random(32) : 0, handle: BigInt(random(2 ** 31)), offset, length });
      return type === 1 && length < MiB ? Buffer.concat([request, noise(random, length)]) : request;
    },
  },
};

/** One connection that misbehaves, and its end: its own, by a goodbye, a reset or silence. */
async function misbehave(t: ExecutionContext, port: number, phase: Phase, random: Random): Promise<void> {
  const first = await RawClient.connect(t, port);
  first.socket.on('error', () => undefined);
  const client = await phase.enter(first);
  client.socket.on('error', () => undefined);
  for (let count = 1 + random(5); count > 0; count -= 1) client.send(spoilt(random, phase.message(random)));
  const end = random(3);
  if (end === 0) client.socket.end();
  else if (end === 1) await new Promise((resolve) => setTimeout(resolve, random(20)));
  else await client.isDropped(600);
  first.socket.destroy();
}

async function descriptors(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}

async function residentBytes(pid: number): Promise<number> {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) * KiB;
}

const withOpenssl = withTools('openssl');
const seed = Date.now() % 2 ** 32;
for (const [name, phase] of Object.entries(phases)) {
  withOpenssl(`garbage in ${name} › no crash, no leak, and a neighbour reads what it wrote`, async (t) => {
    t.timeout(120_000);
    t.log(`seed ${seed}`);
    const directory = await makeDirectory(t);
    const { server } = await makeCertificates(t);
    for (const file of ['exp-1', 'exp-2']) await makeFile(join(directory, file), 8 * MiB);
    const other = pattern(seed, 64 * KiB);
    const child = startChild(t, new URL('./fuzzed-server.js', import.meta.url), directory, server.certificate, server.key);
    const { port } = (await child.said()) as { port: number };
    const pid = child.process.pid ?? 0;
    const uri = `nbd://127.0.0.1:${port}/exp-2`;
    const neighbour = await NbdClient.connect({ uri });
    const round = async (from: number, count: number): Promise<void> => {
      for (let index = from; index < from + count; index += 8) {
        await Promise.all(Array.from({ length: 8 }, (_, lane) => misbehave(t, port, phase, randomly(seed + index + lane))));
        await neighbour.write(0, other);
        t.true((await neighbour.read(0, other.length)).equals(other));
      }
    };
    await round(0, 32);
    await until(async () => (await descriptors(pid)) <= 64, 10_000);
    const before = { descriptors: await settledDescriptors(pid), bytes: await residentBytes(pid) };
    await round(1_000, 96);
    t.true((await settledDescriptors(pid)) <= before.descriptors, 'descriptors');
    const grown = (await residentBytes(pid)) - before.bytes;
    t.true(grown < 96 * MiB, `${(grown / MiB).toFixed(1)} MiB more`);
    const newcomer = await NbdClient.connect({ uri });
    t.is(newcomer.sizeBytes, 8 * MiB);
    await Promise.all([neighbour.disconnect(), newcomer.disconnect()]);
    t.is(child.process.exitCode, null);
    child.process.kill('SIGTERM');
    t.is((await child.ended()).errors, '');
  });
}

/** How many there are when no connection that has ended is left in it. */
async function settledDescriptors(pid: number): Promise<number> {
  let [last, same] = [-1, 0];
  await until(async () => {
    const now = await descriptors(pid);
    same = now === last ? same + 1 : 0;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return same >= 10;
  }, 15_000);
  return last;
}
