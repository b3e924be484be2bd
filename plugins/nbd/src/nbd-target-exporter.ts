import {
  type Call,
  type ConnectionInfo,
  type ExportRequest,
  type Instance,
  isVbsError,
  type Lifecycle,
  type TargetExport,
  type TargetExporter,
  type TargetExporterTraits,
  VbsError,
} from '@vbs/core';
import { type NbdConfig, nbdDefaults } from './config.js';
import { isUnreachable } from './daemon/control-connection.js';
import { RemoteExports } from './daemon/remote-exports.js';
import type { Exports } from './exports.js';
import { hasTls, type ListenSettings, listenFaults, listenSettings, reachOf } from './listen-policy.js';
import { LocalExports } from './local-exports.js';

type Capability = 'read-only' | 'multi-attach' | 'tls' | 'fence' | 'extend';
type Contract = TargetExporter<Capability, 'nbd', 'file'> & TargetExporterTraits & Lifecycle<Capability>;

/** Serves files over NBD, from this process or from `vbs-nbd-server`: many exports, each named by its id, at one address. */
export class NbdTargetExporter implements Contract {
  readonly reach: 'loopback' | 'network';
  /** With `tls` where nobody gets in but with a certificate. */
  readonly capabilities: ReadonlySet<Capability>;
  readonly #exports: Exports;

  private constructor(settings: ListenSettings, exports: Exports) {
    this.reach = reachOf(settings);
    this.capabilities = new Set<Capability>([
      'read-only',
      'multi-attach',
      'fence',
      'extend',
      ...(hasTls(settings) ? (['tls'] as const) : []),
    ]);
    this.#exports = exports;
  }

  /**
   * Starts to listen, or finds the daemon that does, and starts it where there is none.
   * @throws CONFIG_INVALID: whoever can reach `host` would get in (`context.field`), a file of `tls` is no use, or the state directory's path is too long for a socket.
   * @throws FAILED_PRECONDITION: the daemon is another store's, or of a version that this one does not understand.
   * @throws RESOURCE_EXHAUSTED: the port is in use. PERMISSION_DENIED, UNAVAILABLE.
   */
  static async open(instance: Instance<NbdConfig, 'local'>, call: Call): Promise<NbdTargetExporter> {
    const { process: where, ...given } = { ...nbdDefaults, ...instance.config };
    const settings = { ...given, ...listenSettings(instance.config, instance.baseDirectory) };
    const [fault] = listenFaults(settings);
    if (fault !== undefined) {
      const message = `${instance.name}: ${fault.message}`;
      throw new VbsError('CONFIG_INVALID', message, { context: { field: fault.field, faults: [message] } });
    }
    return new NbdTargetExporter(
      settings,
      where === 'own' ? await RemoteExports.open(settings, instance, call) : await LocalExports.open(settings, instance),
    );
  }

  /**
   * @throws FAILED_PRECONDITION: access to this export was revoked, or its file is smaller than the volume.
   * @throws INVALID_ARGUMENT: the locator is no regular file, or the id cannot be a name. PERMISSION_DENIED: the file may not be opened.
   */
  createExport(call: Call, request: ExportRequest<'file'>): Promise<ConnectionInfo<'nbd'>> {
    return this.#exports.create(call, request);
  }

  deleteExport(call: Call, request: { readonly exportId: string }): Promise<void> {
    return this.#exports.delete(call, request);
  }

  listExports(call: Call): Promise<readonly TargetExport<'nbd'>[]> {
    return this.#exports.list(call);
  }

  /** Tries every one, unless the daemon cannot be reached; the error names all that could not be made, with the code of the first. */
  async ensureExports(call: Call, { exports }: { readonly exports: readonly ExportRequest<'file'>[] }): Promise<void> {
    // Also with nothing to make: the answer means that the server is there.
    if (exports.length === 0) await this.#exports.list(call);
    const failures: { readonly exportId: string; readonly error: unknown }[] = [];
    for (const request of exports) {
      try {
        await this.#exports.ensure(call, request);
      } catch (error) {
        failures.push({ exportId: request.exportId, error });
        // The others would wait for the same daemon, each for as long.
        if (isUnreachable(error)) break;
      }
    }
    const [first] = failures;
    if (first === undefined) return;
    const told = failures.map(({ exportId, error }) => ({ exportId, message: error instanceof Error ? error.message : String(error) }));
    throw new VbsError(
      isVbsError(first.error) ? first.error.code : 'INTERNAL',
      `not made again: ${told.map((f) => `${f.exportId} (${f.message})`).join('; ')}`,
      { resource: first.exportId, context: { failures: told }, cause: first.error },
    );
  }

  /** Ends when the last request in flight of the last session has ended: nothing is written afterwards. @throws NOT_FOUND: no such export. */
  revokeAccess(call: Call, request: { readonly exportId: string }): Promise<void> {
    return this.#exports.revoke(call, request);
  }

  /**
   * The protocol has no message for a new size: connected clients may use the added range at once, and learn of it by asking
   * anew (NBD_OPT_INFO on another connection, `NbdClient.refreshSize`).
   * @throws NOT_FOUND: no such export. FAILED_PRECONDITION: it serves another volume, or the file has not grown.
   */
  extendExport(call: Call, request: Pick<ExportRequest<'file'>, 'exportId' | 'volume'>): Promise<{ readonly sizeBytes: number }> {
    return this.#exports.extend(call, request);
  }

  check(call: Call): Promise<readonly string[]> {
    return this.#exports.faults(call);
  }

  /**
   * In this process: accepts nobody any more, answers what is in flight, syncs what was written, closes; at most 5 s. A daemon
   * is only let go of: it serves on.
   * @throws UNAVAILABLE: some written bytes may not be on the medium (`context.failures`).
   */
  close(): Promise<void> {
    return this.#exports.close();
  }
}
