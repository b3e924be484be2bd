import {
  type Call,
  type CloudResolver,
  type CommandRunner,
  type CommandValues,
  type Instance,
  type InstancePlace,
  isVbsError,
  type Lifecycle,
  type RunOptions,
  toVbsError,
  unlessCode,
  VbsError,
} from '@vbs/core';
import type { commands } from './commands.js';
import { type NimbusConfig, nimbusDefaults } from './config.js';
import { type InstanceRecord, isPlaced, requirePlaced, terminated, unknown } from './instance-record.js';
import { mapNimbusError } from './map-error.js';
import { documentReader, type ReadDocument } from './parse-document.js';
import { parseDelimitedList, parseIdMap, parseJsonList } from './parse-list.js';

export type Commands = typeof commands;
type IdMap = ReturnType<typeof parseIdMap>;

const reading = { timeLimitMs: 20_000 } as const;
const documentBytes = 256 * 1024;
const mostDocuments = 2_000;
const atOnce = 8;

/**
 * Resolves Nimbus's instances, by manager id (`4`) or, with a map of ids, by EC2-style id (`i-0a1b2c3d`). The VM's id is the name of its
 * Xen domain, which stays when it reboots; `nimbus-admin` never tells the domain's number.
 */
export class NimbusCloudResolver implements CloudResolver<'list'>, Lifecycle<'list'> {
  readonly #config: NimbusConfig;
  readonly #runner: CommandRunner<Commands>;
  readonly #readDocument: ReadDocument | undefined;

  private constructor({ config, commands: runner }: Instance<NimbusConfig, 'any', Commands>) {
    this.#config = config;
    this.#runner = runner;
    this.#readDocument = config.documents === undefined ? undefined : documentReader(config.documents);
  }

  /** @throws CONFIG_INVALID: a path of `documents` is no XPath. */
  static async open(instance: Instance<NimbusConfig, 'any', Commands>): Promise<NimbusCloudResolver> {
    return new NimbusCloudResolver(instance);
  }

  /**
   * @throws NOT_FOUND: `context.reason` is unknown or terminated. FAILED_PRECONDITION: it is on no host yet (`context.state`).
   * INVALID_ARGUMENT: this is no instance id. UNAVAILABLE: Nimbus does not answer.
   */
  async resolveInstance(call: Call, { instanceId }: { readonly instanceId: string }): Promise<InstancePlace> {
    this.#requireId(instanceId);
    const managerId = instanceId.startsWith('i-') ? (await this.#idMap(call))?.toManager.get(instanceId) : instanceId;
    if (managerId === undefined) throw unknown(instanceId);
    const record = await this.#find(call, managerId);
    // The map keeps what Nimbus has forgotten.
    if (record === undefined) throw instanceId === managerId ? unknown(instanceId) : terminated(instanceId);
    requirePlaced(instanceId, record);
    return this.#place(instanceId, record);
  }

  /** Every instance that is on a host: under its EC2-style id where the map has one. */
  async listInstances(call: Call): Promise<readonly InstancePlace[]> {
    const ids = await this.#idMap(call);
    const records = await this.#records(call);
    return records.filter(isPlaced).map((record) => this.#place(ids?.toElastic.get(record.managerId) ?? record.managerId, record));
  }

  /** What its commands and files lack, a sentence each. */
  async check(call: Call): Promise<readonly string[]> {
    const faults: string[] = [];
    for (const look of [() => this.#idMap(call), () => this.#records(call)]) {
      try {
        await look();
      } catch (error) {
        faults.push(toVbsError(error).message);
      }
    }
    return faults;
  }

  #place(instanceId: string, { managerId, node }: InstanceRecord): InstancePlace {
    return { instanceId, vmmHost: node, vmId: `${this.#config.vmNamePrefix ?? nimbusDefaults.vmNamePrefix}${managerId}` };
  }

  #requireId(instanceId: string): void {
    if (/^[1-9][0-9]{0,17}$/.test(instanceId)) return;
    if (/^i-[0-9a-f]{8}$/.test(instanceId) && this.#config.idMap !== undefined) return;
    const legal =
      this.#config.idMap === undefined
        ? 'a manager id, such as 4; EC2-style ids need `idMap`'
        : 'a manager id, such as 4, or i- and 8 hex digits';
    throw new VbsError('INVALID_ARGUMENT', `${JSON.stringify(instanceId.slice(0, 80))} is no instance id of Nimbus: give ${legal}.`, {
      context: { field: 'instanceId' },
    });
  }

  async #find(call: Call, managerId: string): Promise<InstanceRecord | undefined> {
    if (this.#readDocument !== undefined) return await this.#document(call, managerId, this.#readDocument);
    return (await this.#list(call)).find((record) => record.managerId === managerId);
  }

  async #records(call: Call): Promise<readonly InstanceRecord[]> {
    return this.#readDocument === undefined ? await this.#list(call) : await this.#documents(call, this.#readDocument);
  }

  /** There is no filter by id: one command lists all. */
  async #list(call: Call): Promise<readonly InstanceRecord[]> {
    const { delimiter } = this.#config;
    if (delimiter === undefined) return parseJsonList(await this.#run(call, 'listJson', {}));
    return parseDelimitedList(await this.#run(call, 'listDelimited', { delimiter }), delimiter);
  }

  async #documents(call: Call, read: ReadDocument): Promise<readonly InstanceRecord[]> {
    const names = (await this.#run(call, 'listDocuments', { directory: this.#directory })).split('\n');
    const ids = names.flatMap((name) => /^([1-9][0-9]{0,17})\.xml$/.exec(name)?.[1] ?? []);
    if (ids.length > mostDocuments) {
      throw new VbsError('RESOURCE_EXHAUSTED', `${this.#directory} has ${ids.length} documents; at most ${mostDocuments} are read.`);
    }
    const records: InstanceRecord[] = [];
    for (let from = 0; from < ids.length; from += atOnce) {
      const some = await Promise.all(ids.slice(from, from + atOnce).map((managerId) => this.#document(call, managerId, read)));
      records.push(...some.filter((record) => record !== undefined));
    }
    return records;
  }

  /** Undefined where there is none. */
  async #document(call: Call, managerId: string, read: ReadDocument): Promise<InstanceRecord | undefined> {
    const values = { directory: this.#directory, managerId };
    const text = await unlessCode('NOT_FOUND', this.#run(call, 'readDocument', values, { maxOutputBytes: documentBytes }));
    return text === undefined ? undefined : read(managerId, text);
  }

  get #directory(): string {
    return this.#config.documents?.directory ?? '';
  }

  async #idMap(call: Call): Promise<IdMap | undefined> {
    const { idMap } = this.#config;
    if (idMap === undefined) return undefined;
    try {
      return parseIdMap(await this.#run(call, 'readIdMap', { path: idMap }));
    } catch (error) {
      if (!isVbsError(error) || error.code !== 'NOT_FOUND') throw error;
      throw new VbsError('FAILED_PRECONDITION', `The map of instance ids, ${idMap}, is not there.`, {
        context: { path: idMap },
        cause: error,
      });
    }
  }

  async #run<K extends keyof Commands>(call: Call, name: K, values: CommandValues<Commands[K]>, options: RunOptions = {}): Promise<string> {
    try {
      return (await this.#runner.run(call, name, values, { ...reading, ...options })).stdout;
    } catch (error) {
      throw mapNimbusError(error);
    }
  }
}
