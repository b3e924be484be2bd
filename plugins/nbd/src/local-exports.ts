import {
  type Call,
  type ConnectionInfo,
  type ExportRequest,
  isVbsError,
  type LocalMachine,
  type Logger,
  OneAtATime,
  type TargetExport,
  VbsError,
} from '@vbs/core';
import type { Exports } from './exports.js';
import { maxStringBytes } from './protocol/constants.js';
import { ServedCertificate } from './served-certificate.js';
import { NbdServer, type ServerSettings } from './server/nbd-server.js';
import { type ExportTable, ServedExport } from './server/served-export.js';
import { VolumeFile } from './server/volume-file.js';
import { abortable, within } from './waiting.js';

export type { ServerSettings } from './server/nbd-server.js';

/** The requests in flight at `close` have this long to end; syncing comes afterwards. */
const finishLimitMs = 3_000;
const closeLimitMs = 5_000;
/** A client that has just gone is still seen for a moment; who is there after this long is there. */
const leaveGraceMs = 250;

interface Surroundings {
  /** The instance, for messages. */
  readonly name: string;
  /** Under whose guards everything is changed. */
  readonly machine: Pick<LocalMachine, 'guarded'>;
  readonly log: Logger;
}

/** The exports of one NBD server of this process, each named by its id. */
export class LocalExports implements Exports {
  readonly #name: string;
  readonly #machine: Pick<LocalMachine, 'guarded'>;
  readonly #log: Logger;
  readonly #exports: Map<string, ServedExport>;
  readonly #server: NbdServer;
  readonly #maxConnections: number;
  readonly #certificate: ServedCertificate | null;
  readonly #turns = new OneAtATime();
  #closing = false;

  private constructor(
    { name, machine, log }: Surroundings,
    exports: Map<string, ServedExport>,
    server: NbdServer,
    { maxConnections }: Pick<ServerSettings, 'maxConnections'>,
    certificate: ServedCertificate | null,
  ) {
    this.#name = name;
    this.#machine = machine;
    this.#log = log;
    this.#exports = exports;
    this.#server = server;
    this.#maxConnections = maxConnections;
    this.#certificate = certificate;
  }

  /** Starts to listen. @throws RESOURCE_EXHAUSTED: port or socket are in use. PERMISSION_DENIED, UNAVAILABLE, CONFIG_INVALID. */
  static async open(settings: ServerSettings, surroundings: Surroundings): Promise<LocalExports> {
    const exports = new Map<string, ServedExport>();
    const table: ExportTable = {
      find: (name) => exports.get(name),
      names: () => [...exports.values()].filter((served) => served.isOpen).map((served) => served.id),
    };
    const server = await NbdServer.listen(settings, table, surroundings.log);
    try {
      return new LocalExports(surroundings, exports, server, settings, await ServedCertificate.read(settings));
    } catch (error) {
      await server.close(finishLimitMs);
      throw error;
    }
  }

  /** How much is served now. */
  get load(): { readonly exports: number; readonly sessions: number } {
    const served = [...this.#exports.values()];
    return { exports: served.length, sessions: served.reduce((sum, { sessions }) => sum + sessions.length, 0) };
  }

  /** The port that it listens on; not with a Unix socket. */
  get port(): number {
    return Number(new URL(this.#server.origin).port);
  }

  create(call: Call, request: ExportRequest<'file'>): Promise<ConnectionInfo<'nbd'>> {
    return this.#change(call, request.exportId, () => {
      if (!this.#exports.has(request.exportId)) this.#requireConnection(request.exportId);
      return this.#create(request);
    });
  }

  async #create(request: ExportRequest<'file'>): Promise<ConnectionInfo<'nbd'>> {
    const { exportId, volume, access } = request;
    checkName(exportId);
    const existing = this.#exports.get(exportId);
    if (existing !== undefined) {
      checkSame(existing, request);
      if (existing.sizeBytes < volume.sizeBytes) await grow(existing, volume.sizeBytes);
      return this.#connection(exportId);
    }
    const file = await VolumeFile.open(volume.locator.path, access, this.#log);
    try {
      await checkSize(file, volume.sizeBytes, exportId);
    } catch (error) {
      await file.close();
      throw error;
    }
    this.#exports.set(exportId, new ServedExport({ id: exportId, volumeId: volume.id, access, sizeBytes: volume.sizeBytes }, file));
    return this.#connection(exportId);
  }

  ensure(call: Call, request: ExportRequest<'file'>): Promise<void> {
    return this.#change(call, request.exportId, async () => {
      if (!this.#exports.has(request.exportId)) await this.#create(request);
    });
  }

  delete(call: Call, { exportId }: { readonly exportId: string }): Promise<void> {
    return this.#change(call, exportId, async () => {
      const served = this.#exports.get(exportId);
      if (served === undefined) return;
      await within(Promise.all(served.sessions.map((session) => session.done)), leaveGraceMs);
      const sessions = served.sessions.map(({ initiator }) => ({ initiator }));
      if (sessions.length > 0) {
        throw new VbsError(
          'FAILED_PRECONDITION',
          `${sessions.length} client(s) are connected to export ${exportId}: disconnect them first`,
          { resource: exportId, context: { sessions } },
        );
      }
      this.#exports.delete(exportId);
      await served.file.close().catch((error: Error) => {
        const message = `export ${exportId} is gone, but some bytes that its clients wrote and did not flush may be lost: ${error.message}`;
        throw new VbsError('INTERNAL', message, { resource: exportId, cause: error });
      });
    });
  }

  revoke(call: Call, { exportId }: { readonly exportId: string }): Promise<void> {
    return this.#change(call, exportId, async () => {
      const served = this.#find(exportId);
      served.shut();
      const { sessions } = served;
      for (const session of sessions) session.destroy('access to the export was revoked');
      await abortable(
        call,
        Promise.all(sessions.map((session) => session.done)),
        `requests in flight on export ${exportId} have not ended`,
      );
    });
  }

  extend(call: Call, { exportId, volume }: Pick<ExportRequest<'file'>, 'exportId' | 'volume'>): Promise<{ readonly sizeBytes: number }> {
    return this.#change(call, exportId, async () => {
      const served = this.#find(exportId);
      if (served.volumeId !== volume.id) {
        throw new VbsError('FAILED_PRECONDITION', `export ${exportId} serves ${served.volumeId}, not ${volume.id}`, { resource: exportId });
      }
      await grow(served, volume.sizeBytes);
      return { sizeBytes: served.sizeBytes };
    });
  }

  async list(call: Call): Promise<readonly TargetExport<'nbd'>[]> {
    this.#checkAlive(call);
    return [...this.#exports.values()].map((served) => ({
      exportId: served.id,
      connection: this.#connection(served.id),
      sizeBytes: served.sizeBytes,
      access: served.access,
      sessions: served.sessions.map(({ initiator }) => ({ initiator })),
    }));
  }

  async faults(): Promise<readonly string[]> {
    const faults = (this.#certificate?.faults() ?? []).map((fault) => `${this.#name}: ${fault}`);
    if (!this.#server.isListening) faults.push(`${this.#name}: the NBD server does not listen`);
    const { sessions } = this.load;
    if (sessions >= this.#maxConnections) {
      const why = `has ${sessions} clients, and takes no more: a guest that loses its connection cannot come back`;
      faults.push(`${this.#name}: the NBD server ${why}; raise "maxConnections", or end clients that no attachment has`);
    }
    for (const served of this.#exports.values()) {
      if (!(await served.file.isInPlace())) {
        faults.push(`${this.#name}: the file ${served.file.path} of export ${served.id} was removed or replaced`);
      }
    }
    return faults;
  }

  /**
   * Accepts nobody any more, answers what is in flight, syncs what was written, closes; at most 5 s.
   * @throws UNAVAILABLE: some written bytes may not be on the medium (`context.failures`).
   */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    const failures: string[] = [];
    const ended = this.#server
      .close(finishLimitMs)
      .then(() =>
        Promise.all(
          [...this.#exports.values()].map((served) =>
            served.file.close().catch((error: Error) => failures.push(`${served.id}: ${error.message}`)),
          ),
        ),
      );
    if (!(await within(ended, closeLimitMs))) failures.push(`requests in flight did not end within ${closeLimitMs} ms`);
    if (failures.length > 0) {
      throw new VbsError('UNAVAILABLE', `${this.#name}: some written bytes may be lost: ${failures.join('; ')}`, { context: { failures } });
    }
  }

  /** Changes one export: after those before it, and under the machine's guard. */
  #change<T>(call: Call, exportId: string, act: () => Promise<T>): Promise<T> {
    return this.#turns.run(exportId, () => {
      this.#checkAlive(call);
      return this.#machine.guarded(call, exportId, act);
    });
  }

  #checkAlive(call: Call): void {
    if (call.signal.aborted) {
      const { reason } = call.signal;
      throw isVbsError(reason)
        ? reason
        : new VbsError('ABORTED', `${this.#name}: the call was cancelled before it began`, { cause: reason });
    }
    if (this.#closing || !this.#server.isListening) throw new VbsError('UNAVAILABLE', `${this.#name}: the NBD server is closed`);
  }

  /** Each export takes a connection at the least: one more than there are would be an attachment that cannot connect, or come back. */
  #requireConnection(exportId: string): void {
    if (this.#exports.size < this.#maxConnections) return;
    throw new VbsError(
      'RESOURCE_EXHAUSTED',
      `${this.#name} has ${this.#exports.size} exports, and takes ${this.#maxConnections} connections at a time: raise "maxConnections", or detach volumes`,
      { resource: exportId, context: { field: 'maxConnections' } },
    );
  }

  #find(exportId: string): ServedExport {
    const served = this.#exports.get(exportId);
    if (served === undefined) throw new VbsError('NOT_FOUND', `there is no export ${exportId}`, { resource: exportId });
    return served;
  }

  #connection(exportId: string): ConnectionInfo<'nbd'> {
    const uri = this.#server.uriOf(exportId);
    return { protocol: 'nbd', key: uri, uri };
  }
}

function checkName(exportId: string): void {
  if (exportId.length > 0 && !exportId.includes('\0') && Buffer.byteLength(exportId) <= maxStringBytes) return;
  throw new VbsError('INVALID_ARGUMENT', `an export id is 1 to ${maxStringBytes} bytes without NUL`, { context: { field: 'exportId' } });
}

function checkSame(existing: ServedExport, { exportId, volume, access }: ExportRequest<'file'>): void {
  if (existing.volumeId !== volume.id || existing.file.path !== volume.locator.path || existing.access !== access) {
    throw new VbsError('ALREADY_EXISTS', `export ${exportId} serves ${existing.volumeId} ${existing.access} already`, {
      resource: exportId,
      context: { volumeId: existing.volumeId, access: existing.access },
    });
  }
  if (!existing.isOpen) {
    throw new VbsError('FAILED_PRECONDITION', `access to export ${exportId} was revoked: delete it, and make another under a new id`, {
      resource: exportId,
    });
  }
}

async function checkSize(file: VolumeFile, sizeBytes: number, exportId: string): Promise<void> {
  const fileBytes = await file.size();
  if (fileBytes >= sizeBytes) return;
  throw new VbsError('FAILED_PRECONDITION', `${file.path} has ${fileBytes} bytes, and its volume ${sizeBytes}: extend the volume first`, {
    resource: exportId,
    context: { path: file.path, fileBytes, sizeBytes },
  });
}

async function grow(served: ServedExport, sizeBytes: number): Promise<void> {
  await checkSize(served.file, sizeBytes, served.id);
  served.growTo(sizeBytes);
}
