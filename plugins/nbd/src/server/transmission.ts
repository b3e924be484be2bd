import { type ByteReader, ProtocolViolation } from '../protocol/byte-reader.js';
import { command, commandFlag, errorValue, headerBytes } from '../protocol/constants.js';
import { encodeSimpleReply, errorValueOf, parseRequest, type Request, refuse } from '../protocol/requests.js';
import type { ReplyWriter } from './reply-writer.js';
import type { ServedExport } from './served-export.js';
import { pieceBytes } from './volume-file.js';
import { Window } from './window.js';

/** What one connection may have in flight; a request counts with the memory it takes, at most `pieceBytes`. */
const inFlight = { maxRequests: 64, maxBytes: 4 * pieceBytes } as const;

export interface Transmission {
  readonly reader: ByteReader;
  readonly replies: ReplyWriter;
  readonly served: ServedExport;
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
  const running = new Set<Promise<void>>();
  let failure: unknown = null;
  try {
    while (failure === null) {
      const request = parseRequest(await reader.read(headerBytes.request));
      if (request === null) throw new ProtocolViolation('a request without its magic number');
      if (request.type === command.disconnect) break;
      const room = Math.min(hasPayload(request) ? request.length : 0, pieceBytes);
      await window.acquire(room);
      const act = await receive(transmission, request);
      const task = act()
        .catch((error: unknown) => {
          failure ??= error;
          drop();
        })
        .finally(() => {
          running.delete(task);
          window.release(room);
        });
      running.add(task);
    }
  } catch (error) {
    failure ??= error;
    // Half a message or none: nothing that comes can be told apart, but what is whole is still carried out and answered.
    if (error instanceof ProtocolViolation) drop();
  } finally {
    await Promise.all(running);
  }
  if (failure !== null) throw failure;
}

function hasPayload(request: Request): boolean {
  return request.type === command.read || request.type === command.write;
}

/** Takes a request's data off the socket, and answers what remains to be done. */
async function receive(transmission: Transmission, request: Request): Promise<() => Promise<void>> {
  const { reader, served, owes } = transmission;
  const refused = refuse(request, served);
  if (request.type !== command.write) {
    return () => (refused === null ? perform(transmission, request) : answer(transmission, request, refused));
  }
  owes(true);
  try {
    if (refused !== null) {
      await reader.discard(request.length);
      return () => answer(transmission, request, refused);
    }
    if (request.length > pieceBytes) {
      const error = await receiveInPieces(transmission, request);
      return () => answer(transmission, request, error);
    }
    const data = await reader.read(request.length);
    return () => carryOut(transmission, request, () => served.file.write(data, Number(request.offset)));
  } finally {
    owes(false);
  }
}

/** Writes a long WRITE as it comes, so that it takes the memory of one piece; answers its error value. */
async function receiveInPieces(transmission: Transmission, request: Request): Promise<number> {
  const { reader, served, onFault } = transmission;
  const piece = Buffer.allocUnsafe(pieceBytes);
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
  return syncIfAsked(transmission, request);
}

async function syncIfAsked({ served, onFault }: Transmission, request: Request): Promise<number> {
  if ((request.flags & commandFlag.fua) === 0) return 0;
  try {
    await served.file.sync();
    return 0;
  } catch (error) {
    onFault(error, request);
    return errorValueOf(error);
  }
}

async function carryOut(transmission: Transmission, request: Request, act: () => Promise<void>): Promise<void> {
  let error: number;
  try {
    await act();
    error = await syncIfAsked(transmission, request);
  } catch (fault) {
    transmission.onFault(fault, request);
    error = errorValueOf(fault);
  }
  await answer(transmission, request, error);
}

function answer({ replies }: Transmission, request: Request, error: number): Promise<void> {
  return replies.send(encodeSimpleReply(request.handle, error));
}

function perform(transmission: Transmission, request: Request): Promise<void> {
  const { file } = transmission.served;
  const extent = { offset: Number(request.offset), length: request.length };
  switch (request.type) {
    case command.read:
      return request.length > pieceBytes ? readInPieces(transmission, request) : readWhole(transmission, request);
    case command.flush:
      return carryOut(transmission, request, () => file.sync());
    case command.trim:
      return carryOut(transmission, request, () => file.trim(extent));
    case command.writeZeroes:
      return carryOut(transmission, request, () => file.writeZeroes(extent, (request.flags & commandFlag.noHole) !== 0));
    default:
      return answer(transmission, request, errorValue.EINVAL);
  }
}

async function readWhole(transmission: Transmission, request: Request): Promise<void> {
  const data = Buffer.allocUnsafe(request.length);
  try {
    await transmission.served.file.read(data, Number(request.offset));
  } catch (error) {
    transmission.onFault(error, request);
    return answer(transmission, request, errorValueOf(error));
  }
  return transmission.replies.send(encodeSimpleReply(request.handle, 0), data);
}

/**
 * Reads a long READ piece by piece, so that it takes the memory of one. An error in the first piece is answered; one later
 * must end the connection, since the reply already said that there was none.
 */
async function readInPieces({ served, replies, onFault }: Transmission, request: Request): Promise<void> {
  const buffer = Buffer.allocUnsafe(pieceBytes);
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
}
