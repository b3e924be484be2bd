import { ConnectionEnded, ProtocolViolation } from '../protocol/byte-reader.js';
import { baseAllocation, exportNamePadding, headerBytes, maxStringBytes, option, optionReply } from '../protocol/constants.js';
import { encodeMetaContext, parseMetaContextRequest } from '../protocol/meta-contexts.js';
import {
  encodeGreeting,
  encodeOptionReply,
  encodeServerReply,
  parseClientFlags,
  parseInfoRequest,
  parseOptionHeader,
  parseString,
} from '../protocol/options.js';
import type { Agreed } from '../protocol/requests.js';
import type { Channel } from './channel.js';
import { exportInfos } from './export-infos.js';
import type { ExportTable, ServedExport } from './served-export.js';
import type { ServerTls } from './server-tls.js';

/** More options than any client has reason to send before it chooses an export. */
const maxOptions = 64;
/** An option's data: a name, and room for many information requests. */
const maxOptionBytes = 2 * maxStringBytes;

export interface NegotiationTerms {
  readonly channel: Channel;
  readonly exports: ExportTable;
  /** Null: TLS is not to be had. */
  readonly tls: ServerTls | null;
  readonly handshakeTimeLimitMs: number;
  /** Enters the session at the export; false when that lets nobody in. */
  admit(served: ServedExport): boolean;
}

/** What a negotiation led to. */
export interface Entered {
  readonly served: ServedExport;
  readonly agreed: Agreed;
}

/**
 * Fixed newstyle negotiation, up to the transmission phase; null when the client ended it (NBD_OPT_ABORT).
 * @throws ProtocolViolation: the client broke the protocol, or asked by NBD_OPT_EXPORT_NAME for what cannot be answered with an error.
 */
export async function negotiate(terms: NegotiationTerms): Promise<Entered | null> {
  const { channel } = terms;
  await channel.replies.send(encodeGreeting());
  const flags = parseClientFlags(await channel.reader.read(headerBytes.clientFlags));
  if (flags === null) throw new ProtocolViolation('unknown client flags');
  const negotiation = new Negotiation(terms, flags.noZeroes);
  for (let count = 0; count < maxOptions; count += 1) {
    const header = parseOptionHeader(await channel.reader.read(headerBytes.option));
    if (header === null) throw new ProtocolViolation('an option without its magic number');
    if (header.length > maxOptionBytes) throw new ProtocolViolation(`an option with ${header.length} bytes of data`);
    const ended = await negotiation.answer(header.option, await channel.reader.read(header.length));
    if (ended !== 'on') return ended;
  }
  throw new ProtocolViolation(`more than ${maxOptions} options`);
}

/** What one client has agreed on so far, and the answers to its options. */
class Negotiation {
  readonly #terms: NegotiationTerms;
  readonly #noZeroes: boolean;
  #structuredReplies = false;
  /** The export for which `base:allocation` was set. */
  #statusOf: string | null = null;
  #option = 0;

  constructor(terms: NegotiationTerms, noZeroes: boolean) {
    this.#terms = terms;
    this.#noZeroes = noZeroes;
  }

  /** Answers one option; `on`: another may follow. */
  async answer(asked: number, data: Buffer): Promise<Entered | null | 'on'> {
    this.#option = asked;
    const { channel, tls } = this.#terms;
    if (tls?.required && !channel.isSecure && asked !== option.starttls && asked !== option.abort) {
      // This option alone cannot be answered with an error.
      if (asked === option.exportName) throw new ProtocolViolation('NBD_OPT_EXPORT_NAME before TLS, which is required');
      return this.#refuse(optionReply.errTlsReqd, 'TLS is required: begin with NBD_OPT_STARTTLS');
    }
    switch (asked) {
      case option.exportName:
        return this.#enterByName(parseString(data));
      case option.abort:
        // The client may have gone without waiting for the answer.
        await this.#reply(optionReply.ack).catch(ignoreEnded);
        return null;
      case option.starttls:
        return this.#startTls(data);
      case option.list:
        return this.#list(data);
      case option.structuredReply:
        if (data.length > 0) return this.#refuse(optionReply.errInvalid, 'NBD_OPT_STRUCTURED_REPLY has no data');
        this.#structuredReplies = true;
        return this.#acknowledge();
      case option.listMetaContext:
      case option.setMetaContext:
        return this.#metaContext(data);
      case option.info:
      case option.go:
        return this.#goOrInfo(data);
      default:
        return this.#refuse(optionReply.errUnsup, 'the option is not supported');
    }
  }

  async #startTls(data: Buffer): Promise<'on'> {
    const { channel, tls, handshakeTimeLimitMs } = this.#terms;
    if (tls === null) return this.#refuse(optionReply.errPolicy, 'TLS is not configured here');
    if (data.length > 0) return this.#refuse(optionReply.errInvalid, 'NBD_OPT_STARTTLS has no data');
    if (channel.isSecure) return this.#refuse(optionReply.errInvalid, 'TLS is on already');
    await channel.startTls(tls, handshakeTimeLimitMs, () => this.#reply(optionReply.ack));
    // What was agreed on in the clear, anybody on the way may have said.
    this.#structuredReplies = false;
    this.#statusOf = null;
    return 'on';
  }

  async #list(data: Buffer): Promise<'on'> {
    if (data.length > 0) return this.#refuse(optionReply.errInvalid, 'NBD_OPT_LIST has no data');
    for (const name of this.#terms.exports.names()) await this.#reply(optionReply.server, encodeServerReply(name));
    return this.#acknowledge();
  }

  async #metaContext(data: Buffer): Promise<'on'> {
    const isSet = this.#option === option.setMetaContext;
    if (isSet) this.#statusOf = null;
    if (!this.#structuredReplies) return this.#refuse(optionReply.errInvalid, 'NBD_OPT_STRUCTURED_REPLY comes first');
    const request = parseMetaContextRequest(data);
    if (request === null) return this.#refuse(optionReply.errInvalid, 'the lengths in the option do not fit its data');
    const served = this.#terms.exports.find(request.exportName);
    if (served === undefined) return this.#refuse(optionReply.errUnknown, 'no such export');
    const { queries } = request;
    const asksForAll = !isSet && (queries.length === 0 || queries.includes('base:'));
    if (asksForAll || queries.includes(baseAllocation.name)) {
      if (isSet) this.#statusOf = request.exportName;
      await this.#reply(optionReply.metaContext, encodeMetaContext({ ...baseAllocation, id: isSet ? baseAllocation.id : 0 }));
    }
    return this.#acknowledge();
  }

  async #goOrInfo(data: Buffer): Promise<Entered | 'on'> {
    const request = parseInfoRequest(data);
    if (request === null) return this.#refuse(optionReply.errInvalid, 'the lengths in the option do not fit its data');
    const served = this.#terms.exports.find(request.exportName);
    if (served === undefined) return this.#refuse(optionReply.errUnknown, 'no such export');
    const goes = this.#option === option.go;
    if (!served.isOpen || (goes && !this.#terms.admit(served))) {
      return this.#refuse(optionReply.errPolicy, 'access to the export was revoked');
    }
    for (const info of exportInfos(served, request, this.#structuredReplies)) await this.#reply(optionReply.info, info);
    await this.#acknowledge();
    return goes ? this.#enter(served, request.exportName) : 'on';
  }

  async #enterByName(name: string | null): Promise<Entered> {
    const served = name === null ? undefined : this.#terms.exports.find(name);
    if (name === null || served === undefined || !this.#terms.admit(served)) {
      throw new ProtocolViolation('NBD_OPT_EXPORT_NAME for an export that is not there or closed');
    }
    const bytes = Buffer.alloc(headerBytes.exportNameReply + (this.#noZeroes ? 0 : exportNamePadding));
    bytes.writeBigUInt64BE(BigInt(served.sizeBytes), 0);
    bytes.writeUInt16BE(served.flags(this.#structuredReplies), 8);
    await this.#terms.channel.replies.send(bytes);
    return this.#enter(served, name);
  }

  #enter(served: ServedExport, name: string): Entered {
    return { served, agreed: { structuredReplies: this.#structuredReplies, blockStatus: this.#statusOf === name } };
  }

  async #acknowledge(): Promise<'on'> {
    await this.#reply(optionReply.ack);
    return 'on';
  }

  async #refuse(type: number, message: string): Promise<'on'> {
    await this.#reply(type, Buffer.from(message));
    return 'on';
  }

  #reply(type: number, body?: Buffer): Promise<void> {
    return this.#terms.channel.replies.send(encodeOptionReply(this.#option, type, body));
  }
}

function ignoreEnded(error: unknown): void {
  if (!(error instanceof ConnectionEnded)) throw error;
}
