/** The numbers of the NBD protocol, with the names that its document (doc/proto.md of the NBD project) gives them. */

/** `NBDMAGIC`. */
export const initMagic = 0x4e42444d41474943n;
/** `IHAVEOPT`. */
export const optionMagic = 0x49484156454f5054n;
export const optionReplyMagic = 0x0003e889045565a9n;
export const requestMagic = 0x25609513;
export const simpleReplyMagic = 0x67446698;
export const structuredReplyMagic = 0x668e33ef;

/** NBD_FLAG_FIXED_NEWSTYLE, NBD_FLAG_NO_ZEROES; the client's flags have the same bits. */
export const handshakeFlag = { fixedNewstyle: 1 << 0, noZeroes: 1 << 1 } as const;

/** NBD_OPT_… */
export const option = {
  exportName: 1,
  abort: 2,
  list: 3,
  starttls: 5,
  info: 6,
  go: 7,
  structuredReply: 8,
  listMetaContext: 9,
  setMetaContext: 10,
} as const;

/** NBD_REP_… */
export const optionReply = {
  ack: 1,
  server: 2,
  info: 3,
  metaContext: 4,
  errUnsup: 0x80000001,
  errPolicy: 0x80000002,
  errInvalid: 0x80000003,
  errTlsReqd: 0x80000005,
  errUnknown: 0x80000006,
  errShutdown: 0x80000007,
} as const;

/** NBD_INFO_… */
export const infoType = { export: 0, name: 1, description: 2, blockSize: 3 } as const;

/** NBD_FLAG_…, the transmission flags. */
export const transmissionFlag = {
  hasFlags: 1 << 0,
  readOnly: 1 << 1,
  sendFlush: 1 << 2,
  sendFua: 1 << 3,
  sendTrim: 1 << 5,
  sendWriteZeroes: 1 << 6,
  sendDf: 1 << 7,
  canMultiConn: 1 << 8,
  sendCache: 1 << 10,
  sendFastZero: 1 << 11,
} as const;

/** NBD_CMD_… */
export const command = { read: 0, write: 1, disconnect: 2, flush: 3, trim: 4, cache: 5, writeZeroes: 6, blockStatus: 7 } as const;

/** NBD_CMD_FLAG_… */
export const commandFlag = { fua: 1 << 0, noHole: 1 << 1, df: 1 << 2, reqOne: 1 << 3, fastZero: 1 << 4 } as const;

/** NBD_REPLY_TYPE_… */
export const chunkType = { none: 0, offsetData: 1, offsetHole: 2, blockStatus: 5, error: 0x8001, errorOffset: 0x8002 } as const;

/** NBD_REPLY_FLAG_DONE: no further chunk of this reply follows. */
export const chunkDone = 1 << 0;

/** The one metadata context of this server, and the number that replies call it by. */
export const baseAllocation = { name: 'base:allocation', id: 1 } as const;

/** NBD_STATE_…, the bits that `base:allocation` tells of an extent. */
export const allocationState = { hole: 1 << 0, zero: 1 << 1 } as const;

/** The error values that a reply may carry: a closed set, whatever the server's own errno numbers are. */
export const errorValue = { EPERM: 1, EIO: 5, ENOMEM: 12, EINVAL: 22, ENOSPC: 28, EOVERFLOW: 75, ENOTSUP: 95, ESHUTDOWN: 108 } as const;
export type ErrorValue = (typeof errorValue)[keyof typeof errorValue];

/** Bytes of the fixed parts of messages. */
export const headerBytes = {
  greeting: 18,
  clientFlags: 4,
  option: 16,
  optionReply: 20,
  exportNameReply: 10,
  request: 28,
  simpleReply: 16,
  chunk: 20,
} as const;

/** The zeros behind the answer to NBD_OPT_EXPORT_NAME, unless NO_ZEROES was agreed. */
export const exportNamePadding = 124;

/** A string of the protocol is at most this long. */
export const maxStringBytes = 4096;

/** NBD_INFO_BLOCK_SIZE of this server: any alignment, best in pages, at most 32 MiB of data in one request. */
export const blockSize = { minimum: 1, preferred: 4096, maximumPayload: 32 * 1024 * 1024 } as const;
