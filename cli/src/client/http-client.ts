import { setTimeout as pause } from 'node:timers/promises';
import type { Operation, Page, Pool } from '@vbs/core';
import type { Event, InstanceCheck, JournalEntry, Problem, ReconcileReport, Route } from '@vbs/schemas';
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
import { messagesOf } from './event-stream.js';
import { Failure, failure, statusOfCode, titleOf } from './failure.js';
import { type Endpoint, HttpTransport, type Response } from './http-transport.js';

/** Where the REST server takes each operation, and what of the request goes into the body. */
type Place<O extends OperationName> = (request: Operations[O]['request']) => {
  readonly method: 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: object;
};

const places: { readonly [O in OperationName]: Place<O> } = {
  createVolume: (body) => ({ method: 'POST', path: '/v1/volumes', body }),
  deleteVolume: ({ volumeId }) => ({ method: 'DELETE', path: `/v1/volumes/${part(volumeId)}` }),
  extendVolume: ({ volumeId, ...body }) => ({ method: 'POST', path: `/v1/volumes/${part(volumeId)}/extend`, body }),
  resetState: ({ volumeId }) => ({ method: 'POST', path: `/v1/volumes/${part(volumeId)}/reset-state` }),
  createSnapshot: (body) => ({ method: 'POST', path: '/v1/snapshots', body }),
  deleteSnapshot: ({ snapshotId }) => ({ method: 'DELETE', path: `/v1/snapshots/${part(snapshotId)}` }),
  attachVolume: ({ volumeId, ...body }) => ({ method: 'POST', path: `/v1/volumes/${part(volumeId)}/attachments`, body }),
  detachVolume: ({ volumeId, ...body }) => ({ method: 'POST', path: `/v1/volumes/${part(volumeId)}/detach`, body }),
};

/** Ids were checked before; what is encoded all the same cannot become another path. */
const part = encodeURIComponent;

/** How long one request waits for an operation: a progress bar moves, and Ctrl-C soon knows the operation, at this pace. */
const stepSeconds = 1;
const fewestMs = 100;

/** A client of a REST server, over TCP or its Unix socket. */
export class HttpClient implements Client {
  readonly embedded = false;
  readonly #http: HttpTransport;

  constructor(endpoint: Endpoint) {
    this.#http = new HttpTransport(endpoint);
  }

  get name(): string {
    return this.#http.name;
  }

  async begin<O extends OperationName>(
    operation: O,
    request: Operations[O]['request'],
    { clientToken, signal }: BeginOptions,
  ): Promise<Begun> {
    const headers = { 'idempotency-key': clientToken, prefer: `wait=${stepSeconds}` };
    const answer = await this.#http.send({ ...places[operation](request), headers, signal, repeatable: true });
    const { status, body } = answer;
    const operationId = answer.operationId ?? (status === 202 ? (body as Operation).id : undefined);
    if (operationId === undefined)
      throw failure('UNAVAILABLE', `the server ${this.name} did not name the operation: this is no VBS server; look at --endpoint`);
    // A volume that fills from a snapshot is answered while it is pending.
    const fills = (body as { readonly state?: unknown } | null)?.state === 'pending';
    return { operationId, ended: status !== 202 && !fills };
  }

  async waitFor(operationId: string, { signal, onProgress }: WaitOptions): Promise<void> {
    for (;;) {
      const asked = performance.now();
      const path = `/v1/operations/${part(operationId)}`;
      const { body } = await this.#get(path, signal, { prefer: `wait=${stepSeconds}` });
      const operation = body as Operation;
      if (operation.progress !== null) onProgress?.(operation.progress.doneBytes, operation.progress.totalBytes);
      if (operation.state === 'succeeded') return;
      if (operation.state !== 'running') throw failureOf(operation);
      // A server that does not wait is not asked in a tight loop.
      const left = fewestMs - (performance.now() - asked);
      if (left > 0) await pause(left, undefined, { signal });
    }
  }

  async list<K extends ResourceKind>(kind: K, request: ListRequest, signal: AbortSignal): Promise<Page<Resources[K]>> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(request)) if (value !== undefined) query.set(name, String(value));
    const { body } = await this.#get(`/v1/${kind}${query.size === 0 ? '' : `?${query}`}`, signal);
    return body as Page<Resources[K]>;
  }

  async journal(operationId: string, signal: AbortSignal): Promise<readonly JournalEntry[]> {
    return this.#items(`/v1/operations/${part(operationId)}/journal`, signal);
  }

  async act(operationId: string, act: 'retry' | 'abandon' | 'cancel', signal: AbortSignal): Promise<Operation> {
    const path = `/v1/operations/${part(operationId)}/${act}`;
    const { body } = await this.#http.send({ method: 'POST', path, signal, repeatable: false });
    return body as Operation;
  }

  async *events({ after, signal }: { readonly after?: number; readonly signal: AbortSignal }): AsyncIterable<Event> {
    let last = after;
    // A server that restarts is followed on, behind the last event that came.
    for (let failures = 0; failures < 3; failures++) {
      try {
        const path = `/v1/events${last === undefined ? '' : `?after=${last}`}`;
        for await (const { data } of messagesOf(await this.#http.stream(path, {}, signal))) {
          const event = JSON.parse(data) as Event;
          last = event.sequence;
          failures = 0;
          yield event;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Failure && error.problem.code !== 'UNAVAILABLE') throw error;
        if (last === undefined || failures === 2) throw error;
      }
      if (signal.aborted) return;
      await pause(1_000, undefined, { signal }).catch(() => undefined);
    }
  }

  async reconcile(body: object, signal: AbortSignal): Promise<ReconcileReport> {
    const answer = await this.#http.send({ method: 'POST', path: '/v1/reconcile', body, signal, repeatable: false });
    return answer.body as ReconcileReport;
  }

  pools(signal: AbortSignal): Promise<readonly Pool[]> {
    return this.#items('/v1/pools', signal);
  }

  routes(signal: AbortSignal): Promise<readonly Route[]> {
    return this.#items('/v1/routes', signal);
  }

  checks(signal: AbortSignal): Promise<readonly InstanceCheck[]> {
    return this.#items('/v1/checks', signal);
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  /** Whether a VBS server answers there. @throws Failure: none does, and why. */
  async requireAlive(signal: AbortSignal): Promise<void> {
    const { body } = await this.#get('/healthz', signal);
    if ((body as { readonly status?: unknown } | null)?.status !== 'ok')
      throw failure('UNAVAILABLE', `what answers at ${this.name} is no VBS server; look at --endpoint`);
  }

  async #items<T>(path: string, signal: AbortSignal): Promise<readonly T[]> {
    const { body } = await this.#get(path, signal);
    return (body as { readonly items: readonly T[] }).items;
  }

  #get(path: string, signal: AbortSignal, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return this.#http.send({ method: 'GET', path, headers, signal, repeatable: true });
  }
}

/** How an operation ended, as the problem document that a waiting call would have answered. */
function failureOf({ id, error, reason, state, resourceId }: Operation): Failure {
  const code = (error?.code ?? 'INTERNAL') as Problem['code'];
  return new Failure({
    type: 'about:blank',
    title: titleOf(code),
    status: statusOfCode(code),
    detail: error?.message ?? `operation ${id} is ${state}`,
    code,
    resource: error?.resource ?? resourceId,
    context: { ...error?.context, operationId: id, ...(reason === null ? {} : { remains: reason }) },
  });
}
