import { ProtocolViolation } from '../protocol/byte-reader.js';
import { encodeDataChunk, encodeHoleChunk } from '../protocol/chunks.js';
import { commandFlag, errorValue } from '../protocol/constants.js';
import { encodeSimpleReply, errorValueOf, type Request } from '../protocol/requests.js';
import { buffers } from './buffer-pool.js';
import { endOfReply } from './end-of-reply.js';
import type { Taken } from './reply-writer.js';
import type { Transmission } from './transmission.js';
import { pieceBytes } from './volume-file.js';

/** A shorter read is cheaper than the question whether there is a hole, and waits for no answer to it. */
const leastHoleBytes = { asked: 256 * 1024, seen: 32 * 1024 } as const;

/** Answers a READ that was not refused; `ended` is called when its reply is taken. */
export function serveRead(transmission: Transmission, request: Request, ended: Taken): void {
  const { replies, agreed, served } = transmission;
  const { length, flags } = request;
  const unfragmented = (flags & commandFlag.df) !== 0;
  const offset = Number(request.offset);
  const mayHaveHoles = agreed.structuredReplies && !unfragmented && served.file.mayHaveHoles && length >= leastHoleBytes.seen;
  if (length === 0) replies.post(ended, endOfReply(request, agreed.structuredReplies, 0));
  else if (mayHaveHoles && served.file.isSeenHole(offset, length)) {
    replies.post(ended, encodeHoleChunk(request.handle, true, offset, length));
  } else if (length <= pieceBytes && !(mayHaveHoles && length >= leastHoleBytes.asked)) readWhole(transmission, request, ended);
  else if (unfragmented) replies.post(ended, endOfReply(request, agreed.structuredReplies, errorValue.EOVERFLOW));
  else {
    const whole = agreed.structuredReplies ? readInChunks(transmission, request) : readInPieces(transmission, request);
    whole.then(() => ended(), ended);
  }
}

/** Answers in one piece; at once, where nothing waits for a disk. */
function readWhole({ replies, agreed, served, onFault }: Transmission, request: Request, ended: Taken): void {
  const { handle, length } = request;
  const offset = Number(request.offset);
  const head = agreed.structuredReplies ? encodeDataChunk(handle, true, offset, length) : encodeSimpleReply(handle, 0);
  const reply = buffers.take(head.length + length);
  head.copy(reply);
  const data = reply.subarray(head.length);
  const taken: Taken = (error) => {
    if (error === undefined) buffers.give(reply);
    ended(error);
  };
  const fail = (error: unknown): void => {
    onFault(error, request);
    replies.post(ended, endOfReply(request, agreed.structuredReplies, errorValueOf(error)));
  };
  try {
    const done = served.file.readCached(data, offset);
    if (done === length) replies.post(taken, reply);
    else served.file.read(data.subarray(done), offset + done).then(() => replies.post(taken, reply), fail);
  } catch (error) {
    fail(error);
  }
}

/** Answers in chunks of at most a piece each, holes without their zeros; other replies may come between them. */
async function readInChunks({ served, replies, onFault }: Transmission, request: Request): Promise<void> {
  const { handle } = request;
  const end = Number(request.offset) + request.length;
  const buffer = buffers.take(Math.min(pieceBytes, request.length));
  for (let at = Number(request.offset); at < end; ) {
    let length: number;
    let data: Buffer | null = null;
    try {
      const hole = served.file.mayHaveHoles ? await served.file.holeAt(at, end - at) : 0;
      length = hole > 0 ? hole : Math.min(pieceBytes, end - at);
      if (hole === 0) {
        data = buffer.subarray(0, length);
        await served.file.read(data, at);
      }
    } catch (error) {
      onFault(error, request);
      return replies.send(endOfReply(request, true, errorValueOf(error), at));
    }
    const done = at + length === end;
    if (data === null) await replies.send(encodeHoleChunk(handle, done, at, length));
    else await replies.send(encodeDataChunk(handle, done, at, length), data);
    at += length;
  }
  buffers.give(buffer);
}

/**
 * Reads a long READ piece by piece, so that it takes the memory of one. An error in the first piece is answered; one later
 * must end the connection, since the reply already said that there was none.
 */
async function readInPieces({ served, replies, onFault }: Transmission, request: Request): Promise<void> {
  const buffer = buffers.take(pieceBytes);
  const start = Number(request.offset);
  await replies.sendInPieces(async (send) => {
    for (let done = 0; done < request.length; done += pieceBytes) {
      const part = buffer.subarray(0, Math.min(pieceBytes, request.length - done));
      try {
        await served.file.read(part, start + done);
      } catch (error) {
        onFault(error, request);
        if (done === 0) return send(encodeSimpleReply(request.handle, errorValueOf(error)));
        throw new ProtocolViolation('reading failed in the middle of a reply', { cause: error });
      }
      if (done === 0) await send(encodeSimpleReply(request.handle, 0), part);
      else await send(part);
    }
  });
  buffers.give(buffer);
}
