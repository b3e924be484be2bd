import { handshakeFlag, headerBytes, infoType, initMagic, maxStringBytes, optionMagic, optionReplyMagic } from './constants.js';

/** What the server says first. */
export function encodeGreeting(): Buffer {
  const bytes = Buffer.alloc(headerBytes.greeting);
  bytes.writeBigUInt64BE(initMagic, 0);
  bytes.writeBigUInt64BE(optionMagic, 8);
  bytes.writeUInt16BE(handshakeFlag.fixedNewstyle | handshakeFlag.noZeroes, 16);
  return bytes;
}

/** The handshake flags of a newstyle greeting; null for anything else. */
export function parseGreeting(bytes: Buffer): { readonly flags: number } | null {
  if (bytes.length !== headerBytes.greeting) return null;
  if (bytes.readBigUInt64BE(0) !== initMagic || bytes.readBigUInt64BE(8) !== optionMagic) return null;
  return { flags: bytes.readUInt16BE(16) };
}

/** The client's flags; null when it set one that the server did not offer: the connection then must end. */
export function parseClientFlags(bytes: Buffer): { readonly noZeroes: boolean } | null {
  if (bytes.length !== headerBytes.clientFlags) return null;
  const flags = bytes.readUInt32BE(0);
  if ((flags & ~(handshakeFlag.fixedNewstyle | handshakeFlag.noZeroes)) !== 0) return null;
  return { noZeroes: (flags & handshakeFlag.noZeroes) !== 0 };
}

export function encodeOption(option: number, data: Buffer): Buffer {
  const bytes = Buffer.alloc(headerBytes.option + data.length);
  bytes.writeBigUInt64BE(optionMagic, 0);
  bytes.writeUInt32BE(option, 8);
  bytes.writeUInt32BE(data.length, 12);
  data.copy(bytes, headerBytes.option);
  return bytes;
}

export function parseOptionHeader(bytes: Buffer): { readonly option: number; readonly length: number } | null {
  if (bytes.length !== headerBytes.option || bytes.readBigUInt64BE(0) !== optionMagic) return null;
  return { option: bytes.readUInt32BE(8), length: bytes.readUInt32BE(12) };
}

export function encodeOptionReply(option: number, type: number, data: Buffer = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(headerBytes.optionReply + data.length);
  bytes.writeBigUInt64BE(optionReplyMagic, 0);
  bytes.writeUInt32BE(option, 8);
  bytes.writeUInt32BE(type, 12);
  bytes.writeUInt32BE(data.length, 16);
  data.copy(bytes, headerBytes.optionReply);
  return bytes;
}

export interface OptionReplyHeader {
  readonly option: number;
  readonly type: number;
  readonly length: number;
}

export function parseOptionReplyHeader(bytes: Buffer): OptionReplyHeader | null {
  if (bytes.length !== headerBytes.optionReply || bytes.readBigUInt64BE(0) !== optionReplyMagic) return null;
  return { option: bytes.readUInt32BE(8), type: bytes.readUInt32BE(12), length: bytes.readUInt32BE(16) };
}

/** A string of the protocol: UTF-8, no NUL, at most 4096 bytes; null for anything else. */
export function parseString(bytes: Buffer): string | null {
  if (bytes.length > maxStringBytes || bytes.includes(0)) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** The data of NBD_OPT_INFO and NBD_OPT_GO. */
export interface InfoRequest {
  readonly exportName: string;
  readonly types: readonly number[];
}

export function encodeInfoRequest({ exportName, types }: InfoRequest): Buffer {
  const name = Buffer.from(exportName);
  const bytes = Buffer.alloc(4 + name.length + 2 + 2 * types.length);
  bytes.writeUInt32BE(name.length, 0);
  name.copy(bytes, 4);
  bytes.writeUInt16BE(types.length, 4 + name.length);
  types.forEach((type, index) => {
    bytes.writeUInt16BE(type, 4 + name.length + 2 + 2 * index);
  });
  return bytes;
}

export function parseInfoRequest(data: Buffer): InfoRequest | null {
  if (data.length < 6) return null;
  const nameBytes = data.readUInt32BE(0);
  if (nameBytes > data.length - 6) return null;
  const exportName = parseString(data.subarray(4, 4 + nameBytes));
  const count = data.readUInt16BE(4 + nameBytes);
  const firstType = 4 + nameBytes + 2;
  if (exportName === null || data.length !== firstType + 2 * count) return null;
  return { exportName, types: Array.from({ length: count }, (_, index) => data.readUInt16BE(firstType + 2 * index)) };
}

/** One entry of the answer to NBD_OPT_LIST. */
export function encodeServerReply(exportName: string): Buffer {
  const name = Buffer.from(exportName);
  const bytes = Buffer.alloc(4 + name.length);
  bytes.writeUInt32BE(name.length, 0);
  name.copy(bytes, 4);
  return bytes;
}

export function parseServerReply(data: Buffer): string | null {
  if (data.length < 4 || data.readUInt32BE(0) > data.length - 4) return null;
  return parseString(data.subarray(4, 4 + data.readUInt32BE(0)));
}

/** What the server tells of an export, one NBD_REP_INFO each. */
export type Info =
  | { readonly type: 'export'; readonly sizeBytes: number; readonly flags: number }
  | { readonly type: 'name' | 'description'; readonly text: string }
  | { readonly type: 'blockSize'; readonly minimum: number; readonly preferred: number; readonly maximumPayload: number };

export function encodeInfo(info: Info): Buffer {
  if (info.type === 'export') {
    const bytes = Buffer.alloc(12);
    bytes.writeUInt16BE(infoType.export, 0);
    bytes.writeBigUInt64BE(BigInt(info.sizeBytes), 2);
    bytes.writeUInt16BE(info.flags, 10);
    return bytes;
  }
  if (info.type === 'blockSize') {
    const bytes = Buffer.alloc(14);
    bytes.writeUInt16BE(infoType.blockSize, 0);
    bytes.writeUInt32BE(info.minimum, 2);
    bytes.writeUInt32BE(info.preferred, 6);
    bytes.writeUInt32BE(info.maximumPayload, 10);
    return bytes;
  }
  const head = Buffer.alloc(2);
  head.writeUInt16BE(infoType[info.type], 0);
  return Buffer.concat([head, Buffer.from(info.text)]);
}

/** Null for a malformed one, `unknown` for a type that this code does not know. */
export function parseInfo(data: Buffer): Info | 'unknown' | null {
  if (data.length < 2) return null;
  const type = data.readUInt16BE(0);
  if (type === infoType.export) {
    if (data.length !== 12) return null;
    const size = data.readBigUInt64BE(2);
    return size > Number.MAX_SAFE_INTEGER ? null : { type: 'export', sizeBytes: Number(size), flags: data.readUInt16BE(10) };
  }
  if (type === infoType.blockSize) {
    if (data.length !== 14) return null;
    return { type: 'blockSize', minimum: data.readUInt32BE(2), preferred: data.readUInt32BE(6), maximumPayload: data.readUInt32BE(10) };
  }
  if (type !== infoType.name && type !== infoType.description) return 'unknown';
  const text = parseString(data.subarray(2));
  return text === null ? null : { type: type === infoType.name ? 'name' : 'description', text };
}
