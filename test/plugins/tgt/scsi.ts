import type { ExportClient } from '@vbs/conformance';
import { type LoginOptions, login, type RawInitiator } from './raw-initiator.js';

const blockBytes = 512;
const pieceBytes = 4096;
const busy = 0x02;
const notReady = 0x02;
const unitAttention = 0x06;
const tries = 500;

/** A disk over iSCSI, a command at a time: an `ExportClient` of the conformance kit. */
export async function scsiDisk(options: LoginOptions): Promise<ExportClient> {
  const session = await login(options);
  let last: Promise<unknown> = Promise.resolve();
  // One after the other: the session knows no second command in flight.
  const act = (cdb: Buffer, data?: Parameters<RawInitiator['command']>[1]): Promise<Buffer> => {
    const next = last.then(() => good(session, cdb, data));
    last = next.catch(() => undefined);
    return next;
  };
  const capacity = await act(cdb16(0x9e, 0x10, 0, 32), { read: 32 });
  const mode = await act(Buffer.from([0x1a, 0x08, 0x3f, 0, 192, 0]), { read: 192 });

  async function pieces(offset: number, length: number, each: (at: number, from: number, bytes: number) => Promise<void>): Promise<void> {
    for (let from = 0; from < length; from += pieceBytes) await each(offset + from, from, Math.min(pieceBytes, length - from));
  }

  return {
    sizeBytes: (Number(capacity.readBigUInt64BE(0)) + 1) * capacity.readUInt32BE(8),
    readOnly: ((mode[2] ?? 0) & 0x80) !== 0,
    async read(offset, length) {
      const start = offset - (offset % blockBytes);
      const end = Math.ceil((offset + length) / blockBytes) * blockBytes;
      const whole = Buffer.alloc(end - start);
      await pieces(start, whole.length, async (at, from, bytes) => {
        (await act(cdb16(0x88, 0, at / blockBytes, bytes / blockBytes), { read: bytes })).copy(whole, from);
      });
      return whole.subarray(offset - start, offset - start + length);
    },
    async write(offset, bytes) {
      const buffer = Buffer.from(bytes);
      await pieces(offset, buffer.length, async (at, from, length) => {
        await act(cdb16(0x8a, 0, at / blockBytes, length / blockBytes), { write: buffer.subarray(from, from + length) });
      });
    },
    async flush() {
      await act(Buffer.from([0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    },
    async disconnect() {
      session.close();
    },
  };
}

/** A page of vital product data. */
export async function readPage(session: RawInitiator, page: number): Promise<Buffer> {
  const data = await good(session, Buffer.from([0x12, 1, page, 0, 255, 0]), { read: 255 });
  return data.subarray(0, data.readUInt16BE(2) + 4);
}

/** A command that is repeated while the disk says that it becomes ready, or that something about it has changed, as an initiator of a kernel does. */
export async function good(session: RawInitiator, cdb: Buffer, data?: Parameters<RawInitiator['command']>[1]): Promise<Buffer> {
  for (let attempt = 0; attempt < tries; attempt++) {
    const answer = await session.command(cdb, data);
    if (answer.status === 0) return answer.data;
    const key = (answer.sense[2] ?? 0) & 0x0f;
    if (answer.status !== busy || (key !== notReady && key !== unitAttention)) {
      throw new Error(
        `SCSI command ${cdb[0]?.toString(16)} ended with status ${answer.status}, sense ${answer.sense.subarray(0, 18).toString('hex')}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('the disk did not become ready');
}

export function cdb16(operation: number, action: number, block: number, length: number): Buffer {
  const cdb = Buffer.alloc(16);
  cdb[0] = operation;
  cdb[1] = action;
  cdb.writeBigUInt64BE(BigInt(block), 2);
  cdb.writeUInt32BE(length, 10);
  return cdb;
}
