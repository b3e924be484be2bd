import {
  type Call,
  type ConnectionInfo,
  type ExportRequest,
  type Instance,
  isVbsError,
  type Lifecycle,
  type LocalMachine,
  type Logger,
  type TargetExport,
  type TargetExporter,
  type TargetExporterTraits,
  VbsError,
} from '@vbs/core';
import { type NbdConfig, nbdDefaults } from './config.js';
import { isLoopback } from './loopback.js';
import { OneAtATime } from './one-at-a-time.js';
import { maxStringBytes } from './protocol/constants.js';
import { NbdServer } from './server/nbd-server.js';
import { ServedExport } from './server/served-export.js';
import { VolumeFile } from './server/volume-file.js';

/** The requests in flight at `close` have this long to end; syncing comes afterwards. */
const finishLimitMs = 3_000;
const closeLimitMs = 5_000;
/** A client that has just gone is still seen for a moment; who is there after this long is there. */
const leaveGraceMs = 250;

type Capability = 'read-only' | 'multi-attach' | 'fence' | 'extend';
type Contract = TargetExporter<Capability, 'nbd', 'file'> & TargetExporterTraits & Lifecycle<Capability>;

/** Serves files over NBD in this process: many exports, each named by its id, on one port. */
export class NbdTargetExporter implements Contract {
  /** `open` refuses every other address. */
  readonly reach = 'loopback';
  readonly #name: string;
  readonly #machine: LocalMachine;
  readonly #log: Logger;
  readonly #exports: Map<string, ServedExport>;
  readonly #server: NbdServer;
  readonly #turns = new OneAtATime();
  #closing = false;

  private constructor(instance: Instance<NbdConfig, 'local'>, exports: Map<string, ServedExport>, server: NbdServer) {
    this.#name = instance.name;
    this.#machine = instance.machine;
    this.#log = instance.log;
    this.#exports = exports;
    this.#server = server;
  }

  /**
   * Starts to listen.
   * @throws CONFIG_INVALID: `host` is no loopback address. RESOURCE_EXHAUSTED: the port is in use. PERMISSION_DENIED, UNAVAILABLE.
   */
  static async open(instance: Instance<NbdConfig, 'local'>): Promise<NbdTargetExporter> {
    const settings = { ...nbdDefaults, ...instance.config };
    if (!isLoopback(settings.host)) {
      const message = `${instance.name}: "host" is ${JSON.stringify(settings.host)}, and this NBD server listens on loopback addresses only: set it to 127.0.0.1, ::1 or localhost`;
      throw new VbsError('CONFIG_INVALID', message, { context: { field: 'host', faults: [message] } });
    }
    const exports = new Map<string, ServedExport>();
    const table = {
      find: (name: string) => exports.get(name),
      names: () => [...exports.values()].filter((served) => served.isOpen).map((served) => served.id),
    };
    return new NbdTargetExporter(instance, exports, await NbdServer.listen(settings, table, instance.log));
  }

  /**
   * @throws FAILED_PRECONDITION: access to this export was revoked, or its file is smaller than the volume.
   * @throws INVALID_ARGUMENT: the locator is no regular file, or the id cannot be a name. PERMISSION_DENIED: the file may not be opened.
   */
  createExport(call: Call, request: ExportRequest<'file'>): Promise<ConnectionInfo<'nbd'>> {
    return this.#change(call, request.exportId, () => this.#create(request));
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

  deleteExport(call: Call, { exportId }: { readonly exportId: string }): Promise<void> {
    return this.#change(call, exportId, async () => {
      const served = this.#exports.get(exportId);
      if (served === undefined) return;
      await settled(served, leaveGraceMs);
      const sessions = served.sessions.map(({ initiator }) => ({ initiator }));
      if (sessions.length > 0) {
        throw new VbsError(
          'FAILED_PRECONDITION',
          `${sessions.length} client(s) are connected to export ${exportId}: disconnect them first`,
          {
            resource: exportId,
            context: { sessions },
          },
        );
      }
      this.#exports.delete(exportId);
      await served.file.close().catch((error: Error) => {
        const message = `export ${exportId} is gone, but some bytes that its clients wrote and did not flush may be lost: ${error.message}`;
        throw new VbsError('INTERNAL', message, { resource: exportId, cause: error });
      });
    });
  }

  async listExports(call: Call): Promise<readonly TargetExport<'nbd'>[]> {
    this.#checkAlive(call);
    return [...this.#exports.values()].map((served) => ({
      exportId: served.id,
      connection: this.#connection(served.id),
      sizeBytes: served.sizeBytes,
      access: served.access,
      sessions: served.sessions.map(({ initiator }) => ({ initiator })),
    }));
  }

  /** Tries every one; the error names all that could not be made, with the code of the first. */
  async ensureExports(call: Call, { exports }: { readonly exports: readonly ExportRequest<'file'>[] }): Promise<void> {
    this.#checkAlive(call);
    const failures: { readonly exportId: string; readonly error: unknown }[] = [];
    for (const request of exports) {
      try {
        await this.#change(call, request.exportId, async () => {
          if (!this.#exports.has(request.exportId)) await this.#create(request);
        });
      } catch (error) {
        failures.push({ exportId: request.exportId, error });
      }
    }
    const [first] = failures;
    if (first === undefined) return;
    const told = failures.map(({ exportId, error }) => ({ exportId, message: error instanceof Error ? error.message : String(error) }));
    throw new VbsError(
      isVbsError(first.error) ? first.error.code : 'INTERNAL',
      `not made again: ${told.map((f) => `${f.exportId} (${f.message})`).join('; ')}`,
      {
        resource: first.exportId,
        context: { failures: told },
        cause: first.error,
      },
    );
  }

  /** Ends when the last request in flight of the last session has ended: nothing is written afterwards. @throws NOT_FOUND: no such export. */
  revokeAccess(call: Call, { exportId }: { readonly exportId: string }): Promise<void> {
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

  /**
   * The protocol has no message for a new size: connected clients may use the added range at once, and learn of it by asking
   * anew (NBD_OPT_INFO on another connection, `NbdClient.refreshSize`).
   * @throws NOT_FOUND: no such export. FAILED_PRECONDITION: it serves another volume, or the file has not grown.
   */
  extendExport(
    call: Call,
    { exportId, volume }: Pick<ExportRequest<'file'>, 'exportId' | 'volume'>,
  ): Promise<{ readonly sizeBytes: number }> {
    return this.#change(call, exportId, async () => {
      const served = this.#find(exportId);
      if (served.volumeId !== volume.id) {
        throw new VbsError('FAILED_PRECONDITION', `export ${exportId} serves ${served.volumeId}, not ${volume.id}`, { resource: exportId });
      }
      await grow(served, volume.sizeBytes);
      return { sizeBytes: served.sizeBytes };
    });
  }

  async check(): Promise<readonly string[]> {
    const faults: string[] = [];
    if (!this.#server.isListening) faults.push(`${this.#name}: the NBD server does not listen`);
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

  #find(exportId: string): ServedExport {
    const served = this.#exports.get(exportId);
    if (served === undefined) throw new VbsError('NOT_FOUND', `there is no export ${exportId}`, { resource: exportId });
    return served;
  }

  #connection(exportId: string): ConnectionInfo<'nbd'> {
    const uri = `${this.#server.origin}/${encodeURIComponent(exportId)}`;
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

/** Waits until nobody is connected, at most so long. */
async function settled(served: ServedExport, limitMs: number): Promise<void> {
  await within(Promise.all(served.sessions.map((session) => session.done)), limitMs);
}

/** Whether the promise ended within the limit. */
async function within(promise: Promise<unknown>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  try {
    return await Promise.race([promise.then(() => true as const), limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** The promise's end, or DEADLINE_EXCEEDED when the call is aborted before. */
async function abortable(call: Call, promise: Promise<unknown>, message: string): Promise<void> {
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(new VbsError('DEADLINE_EXCEEDED', message, { cause: call.signal.reason }));
    call.signal.addEventListener('abort', abort, { once: true });
  });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    call.signal.removeEventListener('abort', abort);
  }
}
