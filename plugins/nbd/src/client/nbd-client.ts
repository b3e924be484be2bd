import { VbsError } from '@vbs/core';
import { command, commandFlag, errorValue, transmissionFlag } from '../protocol/constants.js';
import type { NbdConnectOptions, NbdServerAddress } from './address.js';
import { askForExport, askForList, dial, type ExportFacts, hangUp } from './dial.js';
import { requestError } from './errors.js';
import { Wire } from './wire.js';

const defaultStallTimeLimitMs = 60_000;
const disconnectLimitMs = 5_000;
/** One READ or WRITE on the wire; larger calls are split, and so share the connection fairly. */
const maxPieceBytes = 4 * 1024 * 1024;
/** One call of `read` allocates at most this. */
const maxReadBytes = 1024 * 1024 * 1024;
/** The length field has 32 bits; kept to whole pages. */
const maxEffectBytes = 0xfffff000;

/** What a server tells of an export to who asks without connecting to it. */
export interface NbdExportFacts {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  /** The transmission flags (NBD_FLAG_…). */
  readonly flags: number;
}

type Kind = Exclude<keyof typeof command, 'disconnect' | 'cache' | 'blockStatus'>;

/** One connection to one export. Calls run side by side; a bounded number of them is in flight, the others wait their turn. */
export class NbdClient {
  /** Ends when the connection has ended, whoever ended it; never rejects. `error` tells why. */
  readonly closed: Promise<void>;
  readonly flags: number;
  readonly readOnly: boolean;
  readonly #options: NbdConnectOptions;
  readonly #wire: Wire;
  readonly #pieceBytes: number;
  #sizeBytes: number;

  private constructor(options: NbdConnectOptions, facts: ExportFacts, wire: Wire) {
    this.#options = options;
    this.#wire = wire;
    this.#pieceBytes = Math.min(facts.maximumPayload, maxPieceBytes);
    this.#sizeBytes = facts.sizeBytes;
    this.flags = facts.flags;
    this.readOnly = isReadOnly(facts);
    this.closed = wire.closed;
  }

  /**
   * Connects to an export.
   * @throws NOT_FOUND: the server has no such export. PERMISSION_DENIED: it lets nobody in. UNAVAILABLE: no NBD server answers there.
   * @throws UNAUTHENTICATED: the server's certificate is not right, it wants TLS, or another certificate of this client.
   * @throws UNSUPPORTED: TLS is wanted and the server has none.
   * @throws DEADLINE_EXCEEDED, ABORTED (by the signal), INVALID_ARGUMENT (`context.field`).
   */
  static connect(options: NbdConnectOptions): Promise<NbdClient> {
    return dial(options, true, async (line) => {
      const facts = await askForExport(line, 'go');
      return new NbdClient(options, facts, new Wire(line.socket, line.reader, options.stallTimeLimitMs ?? defaultStallTimeLimitMs));
    });
  }

  /** What the server tells of an export, without entering it. Errors as `connect`. */
  static info(options: NbdConnectOptions): Promise<NbdExportFacts> {
    return dial(options, false, async (line) => {
      const facts = await askForExport(line, 'info');
      hangUp(line);
      return { sizeBytes: facts.sizeBytes, readOnly: isReadOnly(facts), flags: facts.flags };
    });
  }

  /** The names of a server's exports. */
  static list(options: NbdServerAddress): Promise<readonly string[]> {
    return dial(options, false, async (line) => {
      const names = await askForList(line);
      hangUp(line);
      return names;
    });
  }

  /** In bytes, as the server told when this client connected or last asked (`refreshSize`). */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Why the connection is of no use any more; null while it is. */
  get error(): VbsError | null {
    return this.#wire.error;
  }

  /**
   * Asks the server for the export's present size, over a connection of its own: the protocol cannot tell it on this one.
   * An export that was extended takes requests in the added range from then on, asked or not.
   */
  async refreshSize(): Promise<number> {
    const { sizeBytes } = await NbdClient.info(this.#options);
    this.#sizeBytes = sizeBytes;
    return sizeBytes;
  }

  /**
   * @throws OUT_OF_RANGE: beyond the end. UNAVAILABLE: the connection is lost. DEADLINE_EXCEEDED: the server does not answer.
   * @throws INTERNAL: the server's medium failed.
   */
  async read(offset: number, length: number): Promise<Buffer> {
    this.#check(offset, length);
    if (length > maxReadBytes) throw outOfRange('length', length, `at most ${maxReadBytes} bytes can be read at once`);
    if (length > this.#sizeBytes - offset) await this.#refuseBeyond('read', offset, length);
    const bytes = Buffer.allocUnsafe(length);
    await this.#inPieces(offset, length, this.#pieceBytes, (at, count) =>
      this.#ask('read', 0, at, count, { target: bytes.subarray(at - offset, at - offset + count) }),
    );
    return bytes;
  }

  /**
   * `fua`: ends when the bytes are on the medium. The bytes must not be changed before it ends.
   * @throws PERMISSION_DENIED: the export is read-only. RESOURCE_EXHAUSTED: the server's disk is full. Others as `read`.
   */
  async write(offset: number, bytes: Uint8Array, options: { readonly fua?: boolean } = {}): Promise<void> {
    this.#check(offset, bytes.length);
    const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    await this.#inPieces(offset, source.length, this.#pieceBytes, (at, count) =>
      this.#ask('write', fuaFlag(options), at, count, { data: source.subarray(at - offset, at - offset + count) }),
    );
  }

  /** Ends when every write that was answered before is on the medium. */
  async flush(): Promise<void> {
    await this.#ask('flush', 0, 0, 0);
  }

  /** Gives an extent's room back: what it reads afterwards is not defined. */
  async trim(offset: number, length: number, options: { readonly fua?: boolean } = {}): Promise<void> {
    this.#check(offset, length);
    await this.#inPieces(offset, length, maxEffectBytes, (at, count) => this.#ask('trim', fuaFlag(options), at, count));
  }

  /** Makes an extent read zeros; `noHole` keeps its room. Errors as `write`. */
  async writeZeroes(offset: number, length: number, options: { readonly fua?: boolean; readonly noHole?: boolean } = {}): Promise<void> {
    this.#check(offset, length);
    const flags = fuaFlag(options) | (options.noHole ? commandFlag.noHole : 0);
    await this.#inPieces(offset, length, maxEffectBytes, (at, count) => this.#ask('writeZeroes', flags, at, count));
  }

  /** Waits for what is in flight, says goodbye, and ends when the connection has (at most 5 s). Does not flush. A repeat is nothing. */
  async disconnect(): Promise<void> {
    await this.#wire.end(disconnectLimitMs);
  }

  async #ask(kind: Kind, flags: number, offset: number, length: number, buffers: { data?: Buffer; target?: Buffer } = {}): Promise<void> {
    const error = await this.#wire.request({ type: command[kind], flags, offset, length, ...buffers });
    if (error === 0) return;
    // The export may have been extended since: its present size decides whether the request was beyond the end.
    if (offset + length > this.#sizeBytes && this.#wire.error === null) await this.refreshSize();
    throw requestError(error, { name: kind, offset, length, sizeBytes: this.#sizeBytes });
  }

  /** One piece at least, also for no bytes: the server is to judge. Waits for all of them; the first error counts. */
  async #inPieces(offset: number, length: number, pieceBytes: number, act: (at: number, count: number) => Promise<void>): Promise<void> {
    const acts: Promise<void>[] = [];
    let at = offset;
    do {
      const count = Math.min(pieceBytes, offset + length - at);
      acts.push(act(at, count));
      at += count;
    } while (at < offset + length);
    const failed = (await Promise.allSettled(acts)).find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** Beyond the size that is known here: asks for the present one before it allocates a buffer for nothing. */
  async #refuseBeyond(name: Kind, offset: number, length: number): Promise<void> {
    if (this.#wire.error !== null) throw this.#wire.error;
    if (offset + length > (await this.refreshSize()))
      throw requestError(errorValue.EINVAL, { name, offset, length, sizeBytes: this.#sizeBytes });
  }

  #check(offset: number, length: number): void {
    if (!Number.isSafeInteger(offset) || offset < 0) throw outOfRange('offset', offset, 'an offset is an integer of 0 or more');
    if (!Number.isSafeInteger(length) || length < 0) throw outOfRange('length', length, 'a length is an integer of 0 or more');
    if (!Number.isSafeInteger(offset + length)) throw outOfRange('offset', offset, 'offset and length together exceed 2^53');
  }
}

function isReadOnly({ flags }: { readonly flags: number }): boolean {
  return (flags & transmissionFlag.readOnly) !== 0;
}

function fuaFlag({ fua = false }: { readonly fua?: boolean }): number {
  return fua ? commandFlag.fua : 0;
}

function outOfRange(field: string, value: number, message: string): VbsError {
  return new VbsError('OUT_OF_RANGE', `${message}, and not ${value}`, { context: { field } });
}
