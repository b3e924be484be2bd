import type { BlockStore, Configuration, Operation, Page, Pool, ReconcileRequest } from '@vbs/core';
import type { Event, InstanceCheck, JournalEntry, ReconcileReport, Route } from '@vbs/schemas';
import type {
  BeginOptions,
  Begun,
  Client,
  ListRequest,
  OperationName,
  Operations,
  ResourceKind,
  Resources,
  WaitOptions,
} from './client.js';
import { requireLasting } from './process-bound.js';
import type { StoreLock } from './store-lock.js';

/** A client of a store that is open in this process, and closed by it. */
export class EmbeddedClient implements Client {
  readonly embedded = true;
  readonly #store: BlockStore;
  readonly #configuration: Configuration;
  readonly #lock: StoreLock;

  constructor(store: BlockStore, configuration: Configuration, lock: StoreLock) {
    this.#store = store;
    this.#configuration = configuration;
    this.#lock = lock;
  }

  get name(): string {
    return `the store of ${this.#configuration.stateDirectory}, opened by this command`;
  }

  async begin<O extends OperationName>(
    operation: O,
    request: Operations[O]['request'],
    { clientToken, signal }: BeginOptions,
  ): Promise<Begun> {
    if (operation === 'attachVolume') await this.#requireLasting(request as Operations['attachVolume']['request']);
    let operationId: string | undefined;
    const options = {
      clientToken,
      signal,
      onOperation: (id: string) => {
        operationId = id;
      },
    };
    // One of the eight methods, with the request that belongs to it: the compiler loses that over the union.
    const begin = this.#store[operation].bind(this.#store) as (request: object, given: typeof options) => Promise<unknown>;
    await begin(request, options);
    if (operationId === undefined) throw new TypeError(`${operation} told no operation`);
    return { operationId, ended: false };
  }

  async waitFor(operationId: string, options: WaitOptions): Promise<void> {
    await this.#store.waitForOperation(operationId, options);
  }

  list<K extends ResourceKind>(kind: K, request: ListRequest): Promise<Page<Resources[K]>> {
    const lists: { readonly [L in ResourceKind]: () => Promise<Page<Resources[L]>> } = {
      volumes: () => this.#store.describeVolumes(request),
      snapshots: () => this.#store.describeSnapshots(request),
      attachments: () => this.#store.describeAttachments(request),
      operations: () => this.#store.describeOperations(request),
    };
    return lists[kind]();
  }

  journal(operationId: string): Promise<readonly JournalEntry[]> {
    return this.#store.describeJournal(operationId);
  }

  async act(operationId: string, act: 'retry' | 'abandon' | 'cancel'): Promise<Operation> {
    if (act === 'retry') return this.#store.retryOperation(operationId);
    if (act === 'abandon') return this.#store.abandonOperation(operationId);
    await this.#store.cancelOperation(operationId);
    const { items } = await this.#store.describeOperations({ ids: [operationId] });
    const [operation] = items;
    if (operation === undefined) throw new TypeError('a describe by id answered nothing');
    return operation;
  }

  async *events(options: { readonly after?: number; readonly signal: AbortSignal }): AsyncIterable<Event> {
    for await (const event of this.#store.events(options)) yield { ...event, data: { ...event.data } };
  }

  async reconcile(request: ReconcileRequest): Promise<ReconcileReport> {
    const { differences, unseen } = await this.#store.reconcile(request);
    return { differences: [...differences], unseen: [...unseen] };
  }

  pools(): Promise<readonly Pool[]> {
    return this.#store.describePools();
  }

  async routes(): Promise<readonly Route[]> {
    return this.#store.listRoutes().map(({ backend, node, route, reason }) => ({
      backend,
      vmmHost: node,
      exporter: route?.exporter.name ?? null,
      initiator: route?.initiator?.name ?? null,
      reason: reason?.message ?? null,
    }));
  }

  async checks(): Promise<readonly InstanceCheck[]> {
    const found = [...(await this.#store.check())];
    return found.map(([instance, faults]) => ({ instance, ok: faults.length === 0, faults: [...faults] }));
  }

  async close(): Promise<void> {
    try {
      await this.#store.close();
    } finally {
      await this.#lock.release();
    }
  }

  /** A volume that does not exist is refused by the attach itself. */
  async #requireLasting(request: Operations['attachVolume']['request']): Promise<void> {
    const { items } = await this.#store.describeVolumes({ ids: [request.volumeId] });
    for (const { backend } of items) requireLasting(this.#store, this.#configuration, backend, request);
  }
}
