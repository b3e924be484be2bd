import { encodeEmptyChunk, encodeErrorChunk } from '../protocol/chunks.js';
import { command, type ErrorValue } from '../protocol/constants.js';
import { encodeSimpleReply, type Request } from '../protocol/requests.js';

const reasons: Readonly<Record<ErrorValue, string>> = {
  1: 'the export is read-only, or the server may not do it',
  5: 'the medium of the volume failed',
  12: 'the server has no memory left',
  22: 'the server does not take such a request',
  28: 'the disk is full, or the request ends beyond the export',
  75: 'too long for one piece: ask for less, or without DF',
  95: 'the file system has no fast way',
  108: 'the server is shutting down',
};

/**
 * The reply, or its last chunk, that carries no data; `error` 0 is success, and `at` where the first byte is that failed.
 * Simple replies are legal where structured ones were agreed on, but for the two commands whose replies carry something.
 */
export function endOfReply({ type, handle }: Request, structured: boolean, error: ErrorValue | 0, at?: number): Buffer {
  if (!structured || (type !== command.read && type !== command.blockStatus)) return encodeSimpleReply(handle, error);
  return error === 0 ? encodeEmptyChunk(handle) : encodeErrorChunk(handle, error, reasons[error], at);
}
