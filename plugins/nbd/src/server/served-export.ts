import type { Access, ExportSession } from '@vbs/core';
import { transmissionFlag } from '../protocol/constants.js';
import type { VolumeFile } from './volume-file.js';

/** One connection, as its export and the exporter see it. */
export interface ServedSession extends ExportSession {
  /** Ended: nothing of it is written any more. Never rejects. */
  readonly done: Promise<void>;
  /** Drops the connection; what it has in flight ends, and then `done`. */
  destroy(reason: string): void;
}

/** One export of the server. It lives while the exporter keeps it, connected or not. */
export class ServedExport {
  readonly id: string;
  readonly volumeId: string;
  readonly access: Access;
  readonly file: VolumeFile;
  readonly #sessions = new Set<ServedSession>();
  #sizeBytes: number;
  #open = true;

  constructor(facts: { id: string; volumeId: string; access: Access; sizeBytes: number }, file: VolumeFile) {
    this.id = facts.id;
    this.volumeId = facts.volumeId;
    this.access = facts.access;
    this.file = file;
    this.#sizeBytes = facts.sizeBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get readOnly(): boolean {
    return this.access === 'read-only';
  }

  get sessions(): readonly ServedSession[] {
    return [...this.#sessions];
  }

  /** False once access was revoked. */
  get isOpen(): boolean {
    return this.#open;
  }

  get description(): string {
    return `VBS volume ${this.volumeId}, ${this.access}`;
  }

  /** The transmission flags; one open file for all connections makes CAN_MULTI_CONN true. DF needs structured replies. */
  flags(structuredReplies: boolean): number {
    const { hasFlags, readOnly, sendFlush, sendFua, sendTrim, sendWriteZeroes, sendFastZero, sendDf, sendCache, canMultiConn } =
      transmissionFlag;
    const always = hasFlags | sendFlush | sendFua | sendCache | canMultiConn;
    const byAccess = this.readOnly ? readOnly : sendTrim | sendWriteZeroes | sendFastZero;
    return always | byAccess | (structuredReplies ? sendDf : 0);
  }

  /** Lets a connection in; false when access was revoked. */
  admit(session: ServedSession): boolean {
    if (!this.#open) return false;
    this.#sessions.add(session);
    return true;
  }

  leave(session: ServedSession): void {
    this.#sessions.delete(session);
  }

  /** Lets nobody in any more; who is in stays. */
  shut(): void {
    this.#open = false;
  }

  /** New requests of everybody may use the added range at once. Never shrinks. */
  growTo(sizeBytes: number): void {
    if (sizeBytes > this.#sizeBytes) this.file.grew();
    this.#sizeBytes = Math.max(this.#sizeBytes, sizeBytes);
  }
}

/** Where connections find exports. */
export interface ExportTable {
  find(exportName: string): ServedExport | undefined;
  /** The names of the exports that let clients in. */
  names(): readonly string[];
}
