import { type ByteReader, ConnectionEnded, ProtocolViolation } from '../protocol/byte-reader.js';
import { blockSize, exportNamePadding, headerBytes, infoType, maxStringBytes, option, optionReply } from '../protocol/constants.js';
import {
  encodeGreeting,
  encodeInfo,
  encodeOptionReply,
  encodeServerReply,
  type InfoRequest,
  parseClientFlags,
  parseInfoRequest,
  parseOptionHeader,
  parseString,
} from '../protocol/options.js';
import type { ReplyWriter } from './reply-writer.js';
import type { ExportTable, ServedExport } from './served-export.js';

/** More options than any client has reason to send before it chooses an export. */
const maxOptions = 64;
/** An option's data: a name, and room for many information requests. */
const maxOptionBytes = 2 * maxStringBytes;

export interface Negotiation {
  readonly reader: ByteReader;
  readonly replies: ReplyWriter;
  readonly exports: ExportTable;
  /** Enters the session at the export; false when that lets nobody in. */
  admit(served: ServedExport): boolean;
}

/**
 * Fixed newstyle negotiation, up to the transmission phase; null when the client ended it (NBD_OPT_ABORT).
 * @throws ProtocolViolation: the client broke the protocol, or asked by NBD_OPT_EXPORT_NAME for what cannot be answered with an error.
 */
export async function negotiate({ reader, replies, exports, admit }: Negotiation): Promise<ServedExport | null> {
  await replies.send(encodeGreeting());
  const flags = parseClientFlags(await reader.read(headerBytes.clientFlags));
  if (flags === null) throw new ProtocolViolation('unknown client flags');

  for (let count = 0; count < maxOptions; count += 1) {
    const header = parseOptionHeader(await reader.read(headerBytes.option));
    if (header === null) throw new ProtocolViolation('an option without its magic number');
    if (header.length > maxOptionBytes) throw new ProtocolViolation(`an option with ${header.length} bytes of data`);
    const data = await reader.read(header.length);
    const reply = (type: number, body?: Buffer): Promise<void> => replies.send(encodeOptionReply(header.option, type, body));
    const refuse = (type: number, message: string): Promise<void> => reply(type, Buffer.from(message));

    switch (header.option) {
      case option.exportName: {
        const name = parseString(data);
        const served = name === null ? undefined : exports.find(name);
        if (served === undefined || !admit(served))
          throw new ProtocolViolation('NBD_OPT_EXPORT_NAME for an export that is not there or closed');
        await replies.send(exportNameReply(served, flags.noZeroes));
        return served;
      }
      case option.abort:
        // The client may have gone without waiting for the answer.
        await reply(optionReply.ack).catch(ignoreEnded);
        return null;
      case option.list:
        if (data.length > 0) await refuse(optionReply.errInvalid, 'NBD_OPT_LIST has no data');
        else {
          for (const name of exports.names()) await reply(optionReply.server, encodeServerReply(name));
          await reply(optionReply.ack);
        }
        break;
      case option.info:
      case option.go: {
        const request = parseInfoRequest(data);
        if (request === null) {
          await refuse(optionReply.errInvalid, 'the lengths in the option do not fit its data');
          break;
        }
        const served = exports.find(request.exportName);
        if (served === undefined) {
          await refuse(optionReply.errUnknown, 'no such export');
          break;
        }
        if (!served.isOpen || (header.option === option.go && !admit(served))) {
          await refuse(optionReply.errPolicy, 'access to the export was revoked');
          break;
        }
        for (const info of infos(served, request)) await reply(optionReply.info, info);
        await reply(optionReply.ack);
        if (header.option === option.go) return served;
        break;
      }
      default:
        await refuse(optionReply.errUnsup, 'the option is not supported');
    }
  }
  throw new ProtocolViolation(`more than ${maxOptions} options`);
}

function ignoreEnded(error: unknown): void {
  if (!(error instanceof ConnectionEnded)) throw error;
}

function exportNameReply(served: ServedExport, noZeroes: boolean): Buffer {
  const bytes = Buffer.alloc(headerBytes.exportNameReply + (noZeroes ? 0 : exportNamePadding));
  bytes.writeBigUInt64BE(BigInt(served.sizeBytes), 0);
  bytes.writeUInt16BE(served.flags, 8);
  return bytes;
}

/** NBD_INFO_EXPORT is always told, the others when asked for. */
function infos(served: ServedExport, { types }: InfoRequest): readonly Buffer[] {
  const wanted = new Set(types);
  const answers = [encodeInfo({ type: 'export', sizeBytes: served.sizeBytes, flags: served.flags })];
  if (wanted.has(infoType.name)) answers.push(encodeInfo({ type: 'name', text: served.id }));
  if (wanted.has(infoType.description)) answers.push(encodeInfo({ type: 'description', text: served.description }));
  if (wanted.has(infoType.blockSize)) answers.push(encodeInfo({ type: 'blockSize', ...blockSize }));
  return answers;
}
