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
  type RunResult,
  toVbsError,
  unlessCode,
  VbsError,
} from '@vbs/core';
import type { commands } from './commands.js';
import { type NimbusConfig, nimbusDefaults } from './config.js';
import { type InstanceRecord, isPlaced, requirePlaced, terminated, unknown } from './instance-record.js';
import { mapNimbusError } from './map-error.js';
import { documentReader, type ReadDocument } from './parse-document.js';
import { parseDelimitedList, parseIdMap, parseJsonList, saysNone } from './parse-list.js';
import { SharedRead } from './shared-read.js';

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
  readonly #list = new SharedRead((call) => this.#readList(call));
  readonly #idMap = new SharedRead((call) => this.#readIdMap(call));

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
   * UNAVAILABLE: Nimbus does not answer. An id of another form is unknown: it may be one of the next resolver's.
   */
  async resolveInstance(call: Call, { instanceId }: { readonly instanceId: string }): Promise<InstancePlace> {
    this.#requireId(instanceId);
    // The map first: an id that it has, and a list that was begun later has not, was terminated.
    const managerId = instanceId.startsWith('i-') ? (await this.#idMap.run(call))?.toManager.get(instanceId) : instanceId;
    if (managerId === undefined) throw unknown(instanceId);
    const record = await this.#find(call, managerId);
    // The map keeps what Nimbus has forgotten.
    if (record === undefined) throw instanceId === managerId ? unknown(instanceId) : terminated(instanceId);
    requirePlaced(instanceId, record);
    return this.#place(instanceId, record);
  }

  /** Every instance that is on a host: under its EC2-style id where the map has one. */
  async listInstances(call: Call): Promise<readonly InstancePlace[]> {
    const ids = await this.#idMap.run(call);
    const records = await this.#records(call);
    return records.filter(isPlaced).map((record) => this.#place(ids?.toElastic.get(record.managerId) ?? record.managerId, record));
  }

  /** What its commands and files lack, a sentence each. */
  async check(call: Call): Promise<readonly string[]> {
    const faults: string[] = [];
    for (const look of [() => this.#idMap.run(call), () => this.#records(call)]) {
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
    throw new VbsError('NOT_FOUND', `${JSON.stringify(instanceId.slice(0, 80))} is no instance id of Nimbus: give ${legal}.`, {
      resource: instanceId,
      context: { field: 'instanceId', reason: 'unknown' },
    });
  }

  async #find(call: Call, managerId: string): Promise<InstanceRecord | undefined> {
    if (this.#readDocument !== undefined) return await this.#document(call, managerId, this.#readDocument);
    return (await this.#list.run(call)).find((record) => record.managerId === managerId);
  }

  async #records(call: Call): Promise<readonly InstanceRecord[]> {
    return this.#readDocument === undefined ? await this.#list.run(call) : await this.#documents(call, this.#readDocument);
  }

  /** There is no filter by id: one command lists all. */
  async #readList(call: Call): Promise<readonly InstanceRecord[]> {
    const { delimiter } = this.#config;
    const result = delimiter === undefined ? await this.#run(call, 'listJson', {}) : await this.#run(call, 'listDelimited', { delimiter });
    if (saysNone(result)) return [];
    return delimiter === undefined ? parseJsonList(result.stdout) : parseDelimitedList(result.stdout, delimiter);
  }

  async #documents(call: Call, read: ReadDocument): Promise<readonly InstanceRecord[]> {
    const ids = await this.#listDocuments(call);
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

  /** The manager ids of all documents. @throws FAILED_PRECONDITION: the folder is not there. */
  async #listDocuments(call: Call): Promise<readonly string[]> {
    const directory = this.#directory;
    const listed = await unlessCode('NOT_FOUND', this.#run(call, 'listDocuments', { directory }, { file: directory }));
    if (listed === undefined) {
      throw new VbsError('FAILED_PRECONDITION', `The folder of documents, ${directory}, is not there.`, { context: { path: directory } });
    }
    return listed.stdout.split('\n').flatMap((name) => /^([1-9][0-9]{0,17})\.xml$/.exec(name)?.[1] ?? []);
  }

  /** Undefined where there is none, in a folder that is there: a folder that is gone says nothing of its instances. */
  async #document(call: Call, managerId: string, read: ReadDocument): Promise<InstanceRecord | undefined> {
    const values = { directory: this.#directory, managerId };
    const options = { maxOutputBytes: documentBytes, file: `/${managerId}.xml` };
    const result = await unlessCode('NOT_FOUND', this.#run(call, 'readDocument', values, options));
    if (result !== undefined) return read(managerId, result.stdout);
    await this.#listDocuments(call);
    return undefined;
  }

  get #directory(): string {
    return this.#config.documents?.directory ?? '';
  }

  async #readIdMap(call: Call): Promise<IdMap | undefined> {
    const { idMap } = this.#config;
    if (idMap === undefined) return undefined;
    try {
      return parseIdMap((await this.#run(call, 'readIdMap', { path: idMap }, { file: idMap })).stdout);
    } catch (error) {
      if (!isVbsError(error) || error.code !== 'NOT_FOUND') throw error;
      throw new VbsError('FAILED_PRECONDITION', `The map of instance ids, ${idMap}, is not there.`, {
        context: { path: idMap },
        cause: error,
      });
    }
  }

  async #run<K extends keyof Commands>(
    call: Call,
    name: K,
    values: CommandValues<Commands[K]>,
    { file, ...options }: RunOptions & { readonly file?: string } = {},
  ): Promise<RunResult> {
    try {
      return await this.#runner.run(call, name, values, { ...reading, ...options });
    } catch (error) {
      throw mapNimbusError(error, file);
    }
  }
}
