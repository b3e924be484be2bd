import { connect, type Socket } from 'node:net';
import { isVbsError, VbsError } from '@vbs/core';
import { ByteReader } from '../protocol/byte-reader.js';
import { handshakeFlag, headerBytes, infoType, option, optionReply } from '../protocol/constants.js';
import {
  encodeInfoRequest,
  encodeOption,
  type OptionReplyHeader,
  parseGreeting,
  parseInfo,
  parseOptionReplyHeader,
  parseServerReply,
} from '../protocol/options.js';
import { type NbdConnectOptions, type NbdTarget, targetOf } from './address.js';
import { optionError, protocolError } from './errors.js';

const defaultTimeLimitMs = 10_000;
/** No answer to an option has reason to be longer, or to come in more parts. */
const maxReplyBytes = 64 * 1024;
const maxReplies = 100_000;
/** What a server that tells no block size must take. */
const defaultMaximumPayload = 32 * 1024 * 1024;

/** A connection whose greeting was heard. */
export interface Line {
  readonly socket: Socket;
  readonly reader: ByteReader;
  readonly target: NbdTarget;
}

/** What the server told of an export. */
export interface ExportFacts {
  readonly sizeBytes: number;
  readonly flags: number;
  readonly maximumPayload: number;
}

/**
 * Connects, negotiates by `act`, and ends the socket unless `act` went well and `keep` is set.
 * @throws UNAVAILABLE: nobody answers, or not NBD. DEADLINE_EXCEEDED: not within the limit. ABORTED: by the signal.
 */
export async function dial<T>(options: NbdConnectOptions, keep: boolean, act: (line: Line) => Promise<T>): Promise<T> {
  const target = targetOf(options);
  const where = `${target.host}:${target.port}`;
  const limitMs = options.timeLimitMs ?? defaultTimeLimitMs;
  const { signal } = options;
  const socket = connect({ host: target.host, port: target.port });
  const reader = new ByteReader(socket);
  let kept = false;
  const stop = (error: Error): void => reader.stop(error);
  const limit = setTimeout(() => stop(new VbsError('DEADLINE_EXCEEDED', `${where} did not negotiate within ${limitMs} ms`)), limitMs);
  const abort = (): void =>
    stop(
      isVbsError(signal?.reason)
        ? signal.reason
        : new VbsError('ABORTED', `connecting to ${where} was cancelled`, { cause: signal?.reason }),
    );
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort();
  try {
    socket.setNoDelay(true);
    const greeting = parseGreeting(await reader.read(headerBytes.greeting));
    if (greeting === null || (greeting.flags & handshakeFlag.fixedNewstyle) === 0) throw protocolError('no fixed newstyle greeting');
    const flags = Buffer.alloc(headerBytes.clientFlags);
    flags.writeUInt32BE(greeting.flags & (handshakeFlag.fixedNewstyle | handshakeFlag.noZeroes));
    socket.write(flags);
    const result = await act({ socket, reader, target });
    kept = keep;
    return result;
  } catch (error) {
    if (isVbsError(error)) throw error;
    throw new VbsError('UNAVAILABLE', `no NBD server answers at ${where}: ${error instanceof Error ? error.message : String(error)}`, {
      context: { host: target.host, port: target.port },
      cause: error,
    });
  } finally {
    clearTimeout(limit);
    signal?.removeEventListener('abort', abort);
    if (!kept) socket.destroy();
  }
}

/** NBD_OPT_GO or NBD_OPT_INFO for the target's export. @throws NOT_FOUND, PERMISSION_DENIED, UNSUPPORTED, UNAVAILABLE. */
export async function askForExport(line: Line, how: 'go' | 'info'): Promise<ExportFacts> {
  const { exportName } = line.target;
  let facts: { sizeBytes: number; flags: number } | null = null;
  let maximumPayload = defaultMaximumPayload;
  line.socket.write(encodeOption(option[how], encodeInfoRequest({ exportName, types: [infoType.blockSize] })));
  await readReplies(line, option[how], ({ type }, data) => {
    if (type !== optionReply.info) throw protocolError(`option reply ${type}`);
    const info = parseInfo(data);
    if (info === null) throw protocolError('malformed export information');
    if (info === 'unknown') return;
    if (info.type === 'export') facts = { sizeBytes: info.sizeBytes, flags: info.flags };
    if (info.type === 'blockSize') maximumPayload = Math.min(info.maximumPayload, defaultMaximumPayload);
  });
  if (facts === null || maximumPayload === 0) throw protocolError('no size for the export');
  return { ...(facts as { sizeBytes: number; flags: number }), maximumPayload };
}

/** NBD_OPT_LIST: the names of the exports. */
export async function askForList(line: Line): Promise<readonly string[]> {
  const names: string[] = [];
  line.socket.write(encodeOption(option.list, Buffer.alloc(0)));
  await readReplies(line, option.list, ({ type }, data) => {
    const name = type === optionReply.server ? parseServerReply(data) : null;
    if (name === null) throw protocolError('malformed list entry');
    names.push(name);
  });
  return names;
}

/** NBD_OPT_ABORT; the server's answer is not waited for. */
export function hangUp({ socket }: Line): void {
  socket.end(encodeOption(option.abort, Buffer.alloc(0)));
}

async function readReplies(line: Line, asked: number, onReply: (header: OptionReplyHeader, data: Buffer) => void): Promise<void> {
  for (let count = 0; count < maxReplies; count += 1) {
    const header = parseOptionReplyHeader(await line.reader.read(headerBytes.optionReply));
    if (header === null || header.option !== asked) throw protocolError('an option reply that does not fit');
    if (header.length > maxReplyBytes) throw protocolError(`an option reply of ${header.length} bytes`);
    const data = await line.reader.read(header.length);
    if (header.type === optionReply.ack) return;
    if (header.type >= 0x80000000) throw optionError(header.type, line.target.exportName, data.toString());
    onReply(header, data);
  }
  throw protocolError('an endless list of replies');
}
