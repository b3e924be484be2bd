import { open } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';

const blockBytes = 4096;
const flushEvery = 8;

/** Odd, so that the writes visit every one of a power of two of blocks; large, so that a copy from start to end is torn by them. */
const stride = 1597;

/** Writes 1, 2, 3 … into blocks all over a file, again and again, and flushes now and then: what a copy holds tells its instant. */
export async function startWriter(path: string) {
  const file = await open(path, 'r+');
  const blocks = (await file.stat()).size / blockBytes;
  let issued = 0;
  let flushed = 0;
  let stopping = false;

  const blockOf = (count: number) => (count * stride) % blocks;
  const write = async () => {
    const block = Buffer.alloc(blockBytes);
    while (!stopping) {
      issued++;
      block.writeUInt32LE(issued);
      block.writeUInt32LE(issued, blockBytes - 4);
      await file.write(block, 0, blockBytes, blockOf(issued) * blockBytes);
      if (issued % flushEvery !== 0) continue;
      await file.datasync();
      flushed = issued;
    }
  };
  const ended = write().finally(() => file.close());

  const at = (bytes: Buffer, block: number) => bytes.readUInt32LE(block * blockBytes);
  return {
    issued: () => issued,
    flushed: () => flushed,
    async reached(count: number): Promise<void> {
      for (let waits = 0; issued < count; waits++) {
        if (waits > 3_000) throw new Error(`the writer came only to ${issued}`);
        await setTimeout(10);
      }
    },
    async stop(): Promise<void> {
      stopping = true;
      await ended;
    },
    /** The number of the last write that is in these bytes. */
    lastWriteIn: (bytes: Buffer) => Math.max(...Array.from({ length: blocks }, (_, block) => at(bytes, block))),
    /** The blocks that do not hold what the writes up to `last` left there: a later write, an earlier one, or half of one. */
    missingIn(bytes: Buffer, last: number): number[] {
      const expected = new Array<number>(blocks).fill(0);
      for (let count = Math.max(1, last - blocks + 1); count <= last; count++) expected[blockOf(count)] = count;
      return expected.flatMap((count, block) => {
        const whole = at(bytes, block) === count && bytes.readUInt32LE((block + 1) * blockBytes - 4) === count;
        return whole ? [] : [block];
      });
    },
  };
}
