import { connect, type Socket } from 'node:net';
import { isVbsError, VbsError } from '@vbs/core';
import { ByteReader, ConnectionEnded } from '../protocol/byte-reader.js';
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
import { endpointText, type NbdConnectOptions, type NbdTarget, targetOf } from './address.js';
import { optionError, protocolError } from './errors.js';
import { secured } from './secure.js';

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
 * @throws UNAUTHENTICATED: the server's certificate is not right, or it wants another of this client. INVALID_ARGUMENT.
 */
export async function dial<T>(options: NbdConnectOptions, keep: boolean, act: (line: Line) => Promise<T>): Promise<T> {
  const target = targetOf(options);
  const where = endpointText(target);
  const limitMs = options.timeLimitMs ?? defaultTimeLimitMs;
  const { signal } = options;
  const socket = connect('socket' in target ? { path: target.socket } : { host: target.host, port: target.port });
  let line: Line = { socket, reader: new ByteReader(socket), target };
  let stopped: VbsError | null = null;
  let kept = false;
  const stop = (error: VbsError): void => {
    stopped ??= error;
    line.reader.stop(error);
    // While TLS is being agreed on, nobody reads: its end is what is waited for.
    if (target.secure) socket.destroy();
  };
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
    if (!('socket' in target)) socket.setNoDelay(true);
    await greet(line);
    if (target.secure && options.tls !== undefined) {
      await askForTls(line);
      const secure = await secured(socket, options.tls, target);
      line = { socket: secure, reader: new ByteReader(secure), target };
    }
    if (stopped !== null) throw stopped;
    const result = await act(line);
    kept = keep;
    return result;
  } catch (error) {
    if (stopped !== null) throw stopped;
    if (isVbsError(error)) throw error;
    // A client of TLS 1.3 hears only behind its own handshake that its certificate was refused, and from some servers just the end.
    if (line.socket !== socket && error instanceof ConnectionEnded) {
      const message = `${where} ended the connection after the TLS handshake (${error.message}): it does not take this client's certificate, or wants one`;
      throw new VbsError('UNAUTHENTICATED', message, { cause: error });
    }
    throw new VbsError('UNAVAILABLE', `no NBD server answers at ${where}: ${error instanceof Error ? error.message : String(error)}`, {
      context: 'socket' in target ? { socket: target.socket } : { host: target.host, port: target.port },
      cause: error,
    });
  } finally {
    clearTimeout(limit);
    signal?.removeEventListener('abort', abort);
    if (!kept) line.socket.destroy();
  }
}

async function greet({ socket, reader }: Line): Promise<void> {
  const greeting = parseGreeting(await reader.read(headerBytes.greeting));
  if (greeting === null || (greeting.flags & handshakeFlag.fixedNewstyle) === 0) throw protocolError('no fixed newstyle greeting');
  const flags = Buffer.alloc(headerBytes.clientFlags);
  flags.writeUInt32BE(greeting.flags & (handshakeFlag.fixedNewstyle | handshakeFlag.noZeroes));
  socket.write(flags);
}

/** NBD_OPT_STARTTLS. What came in the clear behind its acknowledgement was not said by the server whose certificate follows. */
async function askForTls(line: Line): Promise<void> {
  line.socket.write(encodeOption(option.starttls, Buffer.alloc(0)));
  await readReplies(line, option.starttls, () => {
    throw protocolError('an answer to NBD_OPT_STARTTLS that is none');
  });
  if (line.reader.letGo() > 0) throw protocolError('bytes in the clear behind the answer to NBD_OPT_STARTTLS');
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
    if (header.type >= 0x80000000) throw optionError(asked, header.type, line.target.exportName, data.toString());
    onReply(header, data);
  }
  throw protocolError('an endless list of replies');
}
