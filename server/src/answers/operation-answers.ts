import { type CallOptions, isVbsError, VbsError } from '@vbs/core';
import type { Operation } from '@vbs/schemas';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { clientTokenOf } from '../requests/idempotency-key.js';
import { type Preference, preferenceOf, usualWaitMs } from '../requests/prefer.js';
import type { ServerContext } from '../server-context.js';
import type { Views } from './views.js';

type Call<T> = (options: CallOptions) => Promise<T>;
/** Sets status and headers for what a call answered, and says the body. */
type Done<T> = (answer: T) => unknown;

/** How the calls that begin operations are answered. */
export class OperationAnswers {
  readonly #context: ServerContext;
  readonly #views: Views;

  constructor(context: ServerContext, views: Views) {
    this.#context = context;
    this.#views = views;
  }

  /** What the call answers when its operation has ended within the wait, else 202 with the operation. */
  async begin<T>(request: FastifyRequest, reply: FastifyReply, call: Call<T>, done: Done<T>): Promise<unknown> {
    const preference = preferenceOf(request);
    const options = this.#options(request, reply, preference);
    const { waitMs } = preference ?? { waitMs: usualWaitMs };
    const ended = waitMs === 0 ? await this.#journalled(request, call(options)) : await this.#upTo(reply, waitMs, call, options);
    if (ended !== 'over') return done(ended.answer);
    const operation = await this.one(request.operationId);
    return reply.code(202).header('location', `/v1/operations/${operation.id}`).send(this.#views.operation(request, operation));
  }

  /** The resource that the call makes, as it stands at once, or at the end of the wait that was asked for. */
  async beginAndShow<T>(
    request: FastifyRequest,
    reply: FastifyReply,
    call: Call<T>,
    look: (id: string) => Promise<T>,
    done: Done<T>,
  ): Promise<unknown> {
    const preference = preferenceOf(request);
    const options = this.#options(request, reply, preference);
    if (preference === null || preference.waitMs === 0) await this.#journalled(request, call(options));
    else await this.#upTo(reply, preference.waitMs, call, options);
    const { resourceId } = await this.one(request.operationId);
    return done(await look(resourceId));
  }

  /** An operation as it is, or with a wait when it has ended or is stuck. */
  async whenEnded(request: FastifyRequest, reply: FastifyReply, id: string): Promise<Operation> {
    const preference = preferenceOf(request);
    if (preference === null || preference.waitMs === 0) return this.one(id);
    const { store, waits } = this.#context;
    reply.header('preference-applied', preference.applied);
    try {
      await waits.upTo(reply.raw, preference.waitMs, (signal) => store.waitForOperation(id, { signal }));
      return await this.one(id);
    } catch (error) {
      // Its own error is in the operation; that nobody can wait for it any more is not.
      if (!isVbsError(error) || error.context.operationId !== id) throw error;
      const operation = await this.one(id);
      if (operation.state === 'running') throw error;
      return operation;
    }
  }

  /** Ends when the work has, or after the usual wait. */
  async within(reply: FastifyReply, work: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
    await this.#context.waits.upTo(reply.raw, usualWaitMs, work);
  }

  /** @throws NOT_FOUND */
  async one(id: string): Promise<Operation> {
    return describedOne('operation', id, (request) => this.#context.store.describeOperations(request));
  }

  #options(request: FastifyRequest, reply: FastifyReply, preference: Preference | null): CallOptions {
    if (preference !== null) reply.header('preference-applied', preference.applied);
    return {
      ...clientTokenOf(request),
      onOperation(id) {
        request.operationId = id;
        reply.header('vbs-operation', id);
      },
    };
  }

  async #upTo<T>(reply: FastifyReply, ms: number, call: Call<T>, options: CallOptions): Promise<{ readonly answer: T } | 'over'> {
    return this.#context.waits.upTo(reply.raw, ms, (signal) => call({ ...options, signal, wait: true }));
  }

  /** A call that is only to be journalled: how its operation ended before, where it is a repeat, is told by the operation. */
  async #journalled<T>(request: FastifyRequest, called: Promise<T>): Promise<'over'> {
    try {
      await called;
    } catch (error) {
      if (request.operationId === '') throw error;
    }
    return 'over';
  }
}

/** The resource of an id. @throws NOT_FOUND, with the path's `id` as its field. */
export async function describedOne<T>(
  kind: 'volume' | 'snapshot' | 'attachment' | 'operation',
  id: string,
  describe: (request: { readonly ids: readonly string[] }) => Promise<{ readonly items: readonly T[] }>,
): Promise<T> {
  try {
    const [found] = (await describe({ ids: [id] })).items;
    if (found !== undefined) return found;
  } catch (error) {
    if (!isVbsError(error) || error.code !== 'NOT_FOUND') throw error;
  }
  throw new VbsError('NOT_FOUND', `there is no ${kind} ${id}`, { resource: id, context: { field: 'id' } });
}
