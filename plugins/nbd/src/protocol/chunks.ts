import { baseAllocation, chunkDone, chunkType, headerBytes, structuredReplyMagic } from './constants.js';

/** One extent of a block status: `flags` are bits of NBD_STATE_…. */
export interface BlockDescriptor {
  readonly length: number;
  readonly flags: number;
}

const offsetBytes = 8;
/** A message of an error chunk is a string of the protocol. */
const maxMessageBytes = 4096;

/** The header of a chunk, with room for the fixed part of what it carries. */
function chunk(handle: bigint, type: number, done: boolean, payloadBytes: number, heldBytes = payloadBytes): Buffer {
  const bytes = Buffer.allocUnsafe(headerBytes.chunk + heldBytes);
  bytes.writeUInt32BE(structuredReplyMagic, 0);
  bytes.writeUInt16BE(done ? chunkDone : 0, 4);
  bytes.writeUInt16BE(type, 6);
  bytes.writeBigUInt64BE(handle, 8);
  bytes.writeUInt32BE(payloadBytes, 16);
  return bytes;
}

/** NBD_REPLY_TYPE_NONE: the reply ends, and carries nothing. */
export function encodeEmptyChunk(handle: bigint): Buffer {
  return chunk(handle, chunkType.none, true, 0);
}

/** What stands before the data of a chunk; `length` bytes of data follow it. */
export function encodeDataChunk(handle: bigint, done: boolean, offset: number, length: number): Buffer {
  const bytes = chunk(handle, chunkType.offsetData, done, offsetBytes + length, offsetBytes);
  bytes.writeBigUInt64BE(BigInt(offset), headerBytes.chunk);
  return bytes;
}

/** `length` bytes that read zeros, of more than 0. */
export function encodeHoleChunk(handle: bigint, done: boolean, offset: number, length: number): Buffer {
  const bytes = chunk(handle, chunkType.offsetHole, done, offsetBytes + 4);
  bytes.writeBigUInt64BE(BigInt(offset), headerBytes.chunk);
  bytes.writeUInt32BE(length, headerBytes.chunk + offsetBytes);
  return bytes;
}

/** Ends a reply with an error; `offset` where the first byte is that could not be read. */
export function encodeErrorChunk(handle: bigint, error: number, message: string, offset?: number): Buffer {
  const text = Buffer.from(message).subarray(0, maxMessageBytes);
  const placed = offset === undefined ? 0 : offsetBytes;
  const bytes = chunk(handle, offset === undefined ? chunkType.error : chunkType.errorOffset, true, 6 + text.length + placed);
  bytes.writeUInt32BE(error, headerBytes.chunk);
  bytes.writeUInt16BE(text.length, headerBytes.chunk + 4);
  text.copy(bytes, headerBytes.chunk + 6);
  if (offset !== undefined) bytes.writeBigUInt64BE(BigInt(offset), headerBytes.chunk + 6 + text.length);
  return bytes;
}

/** The extents of `base:allocation` from the request's offset on, as a whole reply. */
export function encodeBlockStatusChunk(handle: bigint, extents: readonly BlockDescriptor[]): Buffer {
  const bytes = chunk(handle, chunkType.blockStatus, true, 4 + 8 * extents.length);
  bytes.writeUInt32BE(baseAllocation.id, headerBytes.chunk);
  extents.forEach(({ length, flags }, index) => {
    bytes.writeUInt32BE(length, headerBytes.chunk + 4 + 8 * index);
    bytes.writeUInt32BE(flags, headerBytes.chunk + 8 + 8 * index);
  });
  return bytes;
}

export interface ChunkHeader {
  readonly done: boolean;
  readonly type: number;
  readonly handle: bigint;
  readonly length: number;
}

/** Null when the magic is wrong. */
export function parseChunkHeader(bytes: Buffer): ChunkHeader | null {
  if (bytes.length !== headerBytes.chunk || bytes.readUInt32BE(0) !== structuredReplyMagic) return null;
  return {
    done: (bytes.readUInt16BE(4) & chunkDone) !== 0,
    type: bytes.readUInt16BE(6),
    handle: bytes.readBigUInt64BE(8),
    length: bytes.readUInt32BE(16),
  };
}
