import { type Call, type ConnectionInfo, type ExportRequest, isVbsError, type TargetExport, VbsError } from '@vbs/core';
import type { Exports, ExportsMethod } from '../exports.js';
import { ControlConnection } from './control-connection.js';
import type { DaemonSettings } from './daemon-config.js';
import { DaemonKeeper, type KeptInstance } from './daemon-keeper.js';

/** The exports of a daemon. Each call finds it, starts it when it has died, and asks it over its control socket. */
export class RemoteExports implements Exports {
  readonly #name: string;
  readonly #keeper: DaemonKeeper;
  #closed = false;

  private constructor(name: string, keeper: DaemonKeeper) {
    this.#name = name;
    this.#keeper = keeper;
  }

  /**
   * Finds the daemon, or starts it.
   * @throws CONFIG_INVALID: the state directory's path is too long for a socket in it. FAILED_PRECONDITION: the daemon is another store's.
   * @throws RESOURCE_EXHAUSTED: the port is in use. PERMISSION_DENIED, UNAVAILABLE.
   */
  static async open(settings: DaemonSettings, instance: KeptInstance, call: Call): Promise<RemoteExports> {
    const keeper = new DaemonKeeper(settings, instance);
    await keeper.settle(call);
    return new RemoteExports(instance.name, keeper);
  }

  async create(call: Call, request: ExportRequest<'file'>): Promise<ConnectionInfo<'nbd'>> {
    return (await this.#ask(call, 'create', request)) as ConnectionInfo<'nbd'>;
  }

  async ensure(call: Call, request: ExportRequest<'file'>): Promise<void> {
    await this.#ask(call, 'ensure', request);
  }

  async delete(call: Call, request: { readonly exportId: string }): Promise<void> {
    await this.#ask(call, 'delete', request);
  }

  async revoke(call: Call, request: { readonly exportId: string }): Promise<void> {
    await this.#ask(call, 'revoke', request);
  }

  async extend(call: Call, request: Pick<ExportRequest<'file'>, 'exportId' | 'volume'>): Promise<{ readonly sizeBytes: number }> {
    return (await this.#ask(call, 'extend', request)) as { readonly sizeBytes: number };
  }

  async list(call: Call): Promise<readonly TargetExport<'nbd'>[]> {
    return (await this.#ask(call, 'list', {})) as readonly TargetExport<'nbd'>[];
  }

  /** Looks, and starts nothing. */
  async faults(call: Call): Promise<readonly string[]> {
    const found = await this.#keeper.look(call);
    if (!(found instanceof ControlConnection)) return [`${this.#name}: ${found.fault}`];
    const { pid } = found.greeting;
    const differences = this.#keeper.differences(found.greeting);
    const faults = (await found.ask(call, 'faults', {})) as readonly string[];
    return [
      ...faults,
      ...differences.map((text) => `${this.#name}: the NBD server (process ${pid}) is to be started anew when it serves nothing: ${text}`),
    ];
  }

  /** Lets go: the daemon serves on, and is found again. */
  async close(): Promise<void> {
    this.#closed = true;
  }

  async #ask(call: Call, method: ExportsMethod, request: object): Promise<unknown> {
    if (call.signal.aborted) {
      const { reason } = call.signal;
      throw isVbsError(reason)
        ? reason
        : new VbsError('ABORTED', `${this.#name}: the call was cancelled before it began`, { cause: reason });
    }
    if (this.#closed) throw new VbsError('UNAVAILABLE', `${this.#name}: the exporter is closed`);
    const connection = await this.#keeper.connect(call);
    return connection.ask(call, method, request);
  }
}
