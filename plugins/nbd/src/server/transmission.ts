import { type ByteReader, ProtocolViolation } from '../protocol/byte-reader.js';
import { command, commandFlag, type ErrorValue, errorValue, headerBytes } from '../protocol/constants.js';
import { type Agreed, errorValueOf, parseRequest, type Request, refuse } from '../protocol/requests.js';
import { buffers } from './buffer-pool.js';
import { endOfReply } from './end-of-reply.js';
import type { ReplyWriter, Taken } from './reply-writer.js';
import { blockStatus } from './serve-block-status.js';
import { serveRead } from './serve-read.js';
import type { ServedExport } from './served-export.js';
import { pieceBytes, type VolumeFile } from './volume-file.js';
import { Window } from './window.js';

/** What one connection may have in flight; a request counts with the memory it takes, at most `pieceBytes`. */
const inFlight = { maxRequests: 64, maxBytes: 4 * pieceBytes } as const;

export interface Transmission {
  readonly reader: ByteReader;
  readonly replies: ReplyWriter;
  readonly served: ServedExport;
  readonly agreed: Agreed;
  /** The connection cannot go on: what waits for it must fail now. */
  drop(): void;
  /** A system call failed with what the client is told only as an error number. */
  onFault(error: unknown, request: Request): void;
  /** Told with true while the client owes the data of a message that it began. */
  owes(data: boolean): void;
}

/**
 * Serves requests until NBD_CMD_DISC, and ends when every one of them has ended. Requests run side by side and are answered
 * in the order in which they end.
 * @throws ConnectionEnded, ProtocolViolation, after the requests in flight have ended.
 */
export async function transmit(transmission: Transmission): Promise<void> {
  const { reader, drop } = transmission;
  const window = new Window(inFlight);
  let failure: unknown = null;
  try {
    while (failure === null) {
      const request = parseRequest(reader.take(headerBytes.request) ?? (await reader.read(headerBytes.request)));
      if (request === null) throw new ProtocolViolation('a request without its magic number');
      if (request.type === command.disconnect) break;
      const room = roomOf(request);
      if (!window.tryAcquire(room)) await window.acquire(room);
      const ended: Taken = (error) => {
        if (error !== undefined) {
          failure ??= error;
          drop();
        }
        window.release(room);
      };
      if (request.type === command.write) await serveWrite(transmission, request, ended);
      else serve(transmission, request, ended);
    }
  } catch (error) {
    failure ??= error;
    // Half a message or none: nothing that comes can be told apart, but what is whole is still carried out and answered.
    if (error instanceof ProtocolViolation) drop();
  } finally {
    await window.drained();
  }
  if (failure !== null) throw failure;
}

function roomOf({ type, length }: Request): number {
  return type === command.read || type === command.write ? Math.min(length, pieceBytes) : 0;
}

function serve(transmission: Transmission, request: Request, ended: Taken): void {
  const refused = refuse(request, transmission.served, transmission.agreed);
  if (refused !== null) answer(transmission, request, ended, refused);
  else if (request.type === command.read) serveRead(transmission, request, ended);
  else if (request.type === command.blockStatus) {
    blockStatus(transmission.served.file, request).then(
      (reply) => transmission.replies.post(ended, reply),
      (error: unknown) => fail(transmission, request, ended, error),
    );
  } else carryOut(transmission, request, ended, perform(transmission.served.file, request));
}

/** Does what a request without data asks for. */
function perform(file: VolumeFile, { type, flags, offset, length }: Request): Promise<void> {
  const extent = { offset: Number(offset), length };
  switch (type) {
    case command.flush:
      return file.sync();
    case command.trim:
      return file.trim(extent);
    case command.cache:
      return file.prefetch(extent);
    case command.writeZeroes:
      return file.writeZeroes(extent, { keepRoom: (flags & commandFlag.noHole) !== 0, onlyFast: (flags & commandFlag.fastZero) !== 0 });
    default:
      return Promise.reject(new TypeError(`no way to carry out NBD command ${type}`));
  }
}

/** Takes a WRITE's data off the socket; ends when the next request may be received. */
async function serveWrite(transmission: Transmission, request: Request, ended: Taken): Promise<void> {
  const { reader, served, agreed, owes } = transmission;
  const refused = refuse(request, served, agreed);
  let received = false;
  try {
    owes(true);
    if (refused !== null) {
      await reader.discard(request.length);
      received = true;
      answer(transmission, request, ended, refused);
    } else if (request.length > pieceBytes) {
      const error = await receiveInPieces(transmission, request);
      received = true;
      answer(transmission, request, ended, error);
    } else {
      const data = buffers.take(request.length);
      const here = reader.take(request.length);
      if (here === null) await reader.fill(data);
      else here.copy(data);
      received = true;
      const returned: Taken = (error) => {
        buffers.give(data);
        ended(error);
      };
      carryOut(transmission, request, returned, served.file.write(data, Number(request.offset)));
    }
  } finally {
    owes(false);
    // Half a message: nothing of it is in flight any more.
    if (!received) ended();
  }
}

/** Writes a long WRITE as it comes, so that it takes the memory of one piece; answers its error value. */
async function receiveInPieces(transmission: Transmission, request: Request): Promise<ErrorValue | 0> {
  const { reader, served, onFault } = transmission;
  const piece = buffers.take(pieceBytes);
  const start = Number(request.offset);
  for (let done = 0; done < request.length; done += pieceBytes) {
    const part = piece.subarray(0, Math.min(pieceBytes, request.length - done));
    await reader.fill(part);
    try {
      await served.file.write(part, start + done);
    } catch (error) {
      onFault(error, request);
      await reader.discard(Math.max(0, request.length - done - pieceBytes));
      return errorValueOf(error);
    }
  }
  buffers.give(piece);
  try {
    if (hasFua(request)) await served.file.sync();
    return 0;
  } catch (error) {
    onFault(error, request);
    return errorValueOf(error);
  }
}

function hasFua({ flags }: Request): boolean {
  return (flags & commandFlag.fua) !== 0;
}

/** Answers when `act`, and the sync that FUA asks for, have ended. */
function carryOut(transmission: Transmission, request: Request, ended: Taken, act: Promise<void>): void {
  const { file } = transmission.served;
  const durable = hasFua(request) && request.type !== command.flush ? act.then(() => file.sync()) : act;
  durable.then(
    () => answer(transmission, request, ended, 0),
    (error: unknown) => fail(transmission, request, ended, error),
  );
}

function fail(transmission: Transmission, request: Request, ended: Taken, error: unknown): void {
  const value = errorValueOf(error);
  // That the file system has no fast way is an answer, not a fault.
  if (value !== errorValue.ENOTSUP) transmission.onFault(error, request);
  answer(transmission, request, ended, value);
}

function answer({ replies, agreed }: Transmission, request: Request, ended: Taken, error: ErrorValue | 0): void {
  replies.post(ended, endOfReply(request, agreed.structuredReplies, error));
}
