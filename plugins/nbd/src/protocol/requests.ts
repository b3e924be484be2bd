import { blockSize, command, commandFlag, type ErrorValue, errorValue, headerBytes, requestMagic, simpleReplyMagic } from './constants.js';

/** A request of the transmission phase; the data of a WRITE follows it. */
export interface Request {
  readonly flags: number;
  readonly type: number;
  /** The client's name for the request, given back in the reply (the document's handle, later called cookie). */
  readonly handle: bigint;
  /** Any 64 bits: not yet compared with the export. */
  readonly offset: bigint;
  readonly length: number;
}

export function encodeRequest({ flags, type, handle, offset, length }: Request): Buffer {
  const bytes = Buffer.allocUnsafe(headerBytes.request);
  bytes.writeUInt32BE(requestMagic, 0);
  bytes.writeUInt16BE(flags, 4);
  bytes.writeUInt16BE(type, 6);
  bytes.writeBigUInt64BE(handle, 8);
  bytes.writeBigUInt64BE(offset, 16);
  bytes.writeUInt32BE(length, 24);
  return bytes;
}

/** Null when the magic is wrong: what follows then cannot be told apart, and the connection must end. */
export function parseRequest(bytes: Buffer): Request | null {
  if (bytes.length !== headerBytes.request || bytes.readUInt32BE(0) !== requestMagic) return null;
  return {
    flags: bytes.readUInt16BE(4),
    type: bytes.readUInt16BE(6),
    handle: bytes.readBigUInt64BE(8),
    offset: bytes.readBigUInt64BE(16),
    length: bytes.readUInt32BE(24),
  };
}

export function encodeSimpleReply(handle: bigint, error: number): Buffer {
  const bytes = Buffer.allocUnsafe(headerBytes.simpleReply);
  bytes.writeUInt32BE(simpleReplyMagic, 0);
  bytes.writeUInt32BE(error, 4);
  bytes.writeBigUInt64BE(handle, 8);
  return bytes;
}

export function parseSimpleReply(bytes: Buffer): { readonly error: number; readonly handle: bigint } | null {
  if (bytes.length !== headerBytes.simpleReply || bytes.readUInt32BE(0) !== simpleReplyMagic) return null;
  return { error: bytes.readUInt32BE(4), handle: bytes.readBigUInt64BE(8) };
}

/** The flags that each command may carry; existing clients set FUA on any. */
const legalFlags: ReadonlyMap<number, number> = new Map([
  [command.read, commandFlag.fua],
  [command.write, commandFlag.fua],
  [command.flush, commandFlag.fua],
  [command.trim, commandFlag.fua],
  [command.cache, commandFlag.fua],
  [command.writeZeroes, commandFlag.fua | commandFlag.noHole | commandFlag.fastZero],
  [command.blockStatus, commandFlag.fua | commandFlag.reqOne],
]);
const changing: ReadonlySet<number> = new Set([command.write, command.trim, command.writeZeroes]);
const withPayload: ReadonlySet<number> = new Set([command.read, command.write]);
const allocating: ReadonlySet<number> = new Set([command.write, command.writeZeroes]);

/** What client and server agreed on before the transmission phase. */
export interface Agreed {
  readonly structuredReplies: boolean;
  /** `base:allocation` for the export that was entered. */
  readonly blockStatus: boolean;
}

/**
 * Why a request is refused before anything is done, or null. As the document's "Error values" say: EINVAL for an unknown
 * command or flag, EPERM for a change of a read-only export, ENOSPC for a write beyond the end; reading or trimming there is EINVAL.
 */
export function refuse(
  request: Request,
  target: { readonly sizeBytes: number; readonly readOnly: boolean },
  { structuredReplies, blockStatus }: Agreed,
): ErrorValue | null {
  const flags = legalFlags.get(request.type);
  const unfragmented = structuredReplies && request.type === command.read ? commandFlag.df : 0;
  if (flags === undefined || (request.flags & ~(flags | unfragmented)) !== 0) return errorValue.EINVAL;
  if (request.type === command.blockStatus && (!blockStatus || request.length === 0)) return errorValue.EINVAL;
  if (target.readOnly && changing.has(request.type)) return errorValue.EPERM;
  if (request.type === command.flush) return request.offset === 0n && request.length === 0 ? null : errorValue.EINVAL;
  if (withPayload.has(request.type) && request.length > blockSize.maximumPayload) return errorValue.EINVAL;
  if (request.offset + BigInt(request.length) <= BigInt(target.sizeBytes)) return null;
  return allocating.has(request.type) ? errorValue.ENOSPC : errorValue.EINVAL;
}

const byErrno: Readonly<Record<string, ErrorValue>> = {
  EPERM: errorValue.EPERM,
  EACCES: errorValue.EPERM,
  EROFS: errorValue.EPERM,
  ENOMEM: errorValue.ENOMEM,
  EINVAL: errorValue.EINVAL,
  ENOSPC: errorValue.ENOSPC,
  EDQUOT: errorValue.ENOSPC,
  EFBIG: errorValue.ENOSPC,
  EOPNOTSUPP: errorValue.ENOTSUP,
  ENOTSUP: errorValue.ENOTSUP,
};

/** The error value for what a system call threw: EIO for all that the protocol has no name for. */
export function errorValueOf(error: unknown): ErrorValue {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return byErrno[code] ?? errorValue.EIO;
}
