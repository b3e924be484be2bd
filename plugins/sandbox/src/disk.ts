import type { Access, Logger } from '@vbs/core';
import { VbsError } from '@vbs/core';
import { NbdClient, type NbdClientTls } from '@vbs/plugin-nbd/client';
import { Gate } from './gate.js';

export interface DiskSpec {
  readonly vm: string;
  readonly slot: string;
  /** As `nbdSource` normalises it. */
  readonly uri: string;
  readonly access: Access;
  readonly sizeBytes: number;
  readonly ioLimitMs: number;
  /** What an export behind TLS needs. */
  readonly tls: NbdClientTls | undefined;
}

/** A disk in a slot of a VM, and its NBD connection while the VM runs. */
export class SandboxDisk {
  readonly spec: DiskSpec;
  /** The guest uses it, and does not let go when it is asked. */
  busy = false;
  /** The guest was asked to let go, and has not yet. */
  detachAsked = false;
  readonly #requests = new Gate();
  readonly #log: Logger;
  #sizeBytes: number;
  #client: NbdClient | undefined;
  #out = false;

  constructor(spec: DiskSpec, log: Logger) {
    this.spec = spec;
    this.#sizeBytes = spec.sizeBytes;
    this.#log = log;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** The export has gone: nothing is behind the disk. */
  get isLost(): boolean {
    return this.#client !== undefined && this.#client.error !== null;
  }

  /**
   * Opens the connection; one that was lost is opened anew, one that lives is kept.
   *
   * @throws FAILED_PRECONDITION: the export has another size, or takes no writes and the disk is for writing. UNAVAILABLE.
   */
  async connect(signal: AbortSignal): Promise<void> {
    if (this.#client?.error === null) return;
    const client = await this.#open(signal);
    if (client.sizeBytes !== this.#sizeBytes) {
      await client.disconnect();
      throw this.#unfit(`has ${client.sizeBytes} bytes, not ${this.#sizeBytes}`, {
        sizeBytes: client.sizeBytes,
        expectedSizeBytes: this.#sizeBytes,
      });
    }
    this.#client = client;
  }

  /**
   * Connects anew where the export has grown, so that the guest sees the new size; its requests wait meanwhile. Answers the
   * size that the guest sees.
   *
   * @throws FAILED_PRECONDITION: the export has become smaller.
   */
  async resize(signal: AbortSignal): Promise<number> {
    const client = await this.#open(signal);
    if (client.sizeBytes < this.#sizeBytes) {
      await client.disconnect();
      throw this.#unfit(`has shrunk from ${this.#sizeBytes} to ${client.sizeBytes} bytes`, { sizeBytes: client.sizeBytes });
    }
    const current = this.#client;
    if (current === undefined || (current.error === null && client.sizeBytes === this.#sizeBytes)) {
      await client.disconnect();
      this.#sizeBytes = client.sizeBytes;
      return client.sizeBytes;
    }
    await this.#requests.close();
    try {
      await this.#flushAndEnd();
      this.#sizeBytes = client.sizeBytes;
      this.#client = client;
    } catch (error) {
      await client.disconnect();
      throw error;
    } finally {
      this.#requests.open();
    }
    return client.sizeBytes;
  }

  /** Flushes and ends the connection: the VM stops. A lost connection has nothing to flush. */
  async disconnect(): Promise<void> {
    await this.#requests.close();
    try {
      await this.#flushAndEnd();
    } finally {
      this.#requests.open();
    }
  }

  /** As {@link disconnect}, and the guest's requests fail from then on, those that wait too. */
  async takeOut(): Promise<void> {
    await this.#requests.close();
    try {
      await this.#flushAndEnd();
      this.#out = true;
    } finally {
      this.#requests.open();
    }
  }

  /** Ends the connection without a flush, as the power going off does. */
  async drop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.disconnect();
  }

  /** Makes what was written durable, for the hypervisor itself: nothing holds it back. @throws UNAVAILABLE: the export has gone. */
  async sync(): Promise<void> {
    if (this.#client !== undefined && this.#writable(this.#client)) await this.#client.flush();
  }

  async read(offset: number, length: number): Promise<Buffer> {
    this.#check(offset, length);
    return this.#request((client) => client.read(offset, length));
  }

  /** @throws PERMISSION_DENIED: the disk is read-only. */
  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#check(offset, bytes.length);
    await this.#request(async (client) => {
      if (this.spec.access === 'read-only' && !client.readOnly) {
        throw new VbsError('PERMISSION_DENIED', `${this.#name} is read-only.`, { context: { device: this.spec.slot } });
      }
      await client.write(offset, bytes);
    });
  }

  async flush(): Promise<void> {
    await this.#request(async (client) => {
      if (this.#writable(client)) await client.flush();
    });
  }

  get #name(): string {
    return `Disk ${this.spec.slot} of VM ${this.spec.vm}`;
  }

  #writable(client: NbdClient): boolean {
    return this.spec.access === 'read-write' && !client.readOnly;
  }

  async #open(signal: AbortSignal): Promise<NbdClient> {
    const client = await NbdClient.connect({
      uri: this.spec.uri,
      ...(this.spec.tls !== undefined && { tls: this.spec.tls }),
      signal,
      timeLimitMs: this.spec.ioLimitMs,
      stallTimeLimitMs: this.spec.ioLimitMs,
    });
    if (this.spec.access === 'read-write' && client.readOnly) {
      await client.disconnect();
      throw this.#unfit('takes no writes, and the disk is for writing', {});
    }
    return client;
  }

  #unfit(why: string, context: object): VbsError {
    const { slot, vm, uri } = this.spec;
    return new VbsError('FAILED_PRECONDITION', `${this.#name}: the export ${why}.`, { context: { slot, vm, uri, ...context } });
  }

  async #flushAndEnd(): Promise<void> {
    if (this.#client === undefined) return;
    try {
      await this.sync();
    } catch (error) {
      if (this.#client.error === null) throw error;
    }
    if (this.#client.error !== null) {
      const { vm, slot } = this.spec;
      this.#log.warn({ vm, slot, err: this.#client.error }, 'the export had gone: unflushed writes of the guest may be lost');
    }
    await this.drop();
  }

  #check(offset: number, length: number): void {
    if (Number.isSafeInteger(offset) && offset >= 0 && offset + length <= this.#sizeBytes && Number.isSafeInteger(length) && length >= 0)
      return;
    throw new VbsError('OUT_OF_RANGE', `${this.#name} has ${this.#sizeBytes} bytes; ${length} at ${offset} do not lie in it.`, {
      context: { field: 'offset', sizeBytes: this.#sizeBytes },
    });
  }

  #request<T>(act: (client: NbdClient) => Promise<T>): Promise<T> {
    return this.#requests.pass(async () => {
      const context = { device: this.spec.slot };
      if (this.#out) throw new VbsError('NOT_FOUND', `${this.#name} was taken out.`, { context });
      const client = this.#client;
      if (client === undefined) throw new VbsError('FAILED_PRECONDITION', `VM ${this.spec.vm} is stopped; start it first.`, { context });
      if (client.error === null) return act(client);
      throw new VbsError('UNAVAILABLE', `${this.#name}: its export has gone.`, { context, cause: client.error });
    });
  }
}
