import { randomUUID } from 'node:crypto';
import type { Begun, Client, OperationName, Operations, ResourceKind, Resources } from '../client/client.js';
import { failure } from '../client/failure.js';
import type { OptionSpec } from '../command-spec.js';
import type { Context } from '../context/context.js';
import { Interrupted } from '../context/interrupt.js';
import type { Invocation } from '../invocation.js';
import { progressBar } from '../output/progress-bar.js';
import { resourceViews } from '../output/views.js';
import { parseDuration } from './parse.js';

/** How long a command waits for its operation unless told. */
const usualLimitMs = 3_600_000;

/** The exit status of a wait that ended before its operation. */
export const exitNotEnded = 3;

/** The options of every command that changes something. */
export const operateOptions: readonly OptionSpec[] = [
  { flags: '--wait', text: 'Wait until the operation has ended, and answer what came of it. This is what happens unless told otherwise.' },
  { flags: '--no-wait', text: 'Answer the operation as soon as it is recorded; it goes on by itself.' },
  {
    flags: '--timeout <time>',
    text: 'Stop waiting after this time (90, 90s, 5m, 2h), with exit status 3. The operation goes on.',
    parse: parseDuration,
    usually: '1h',
  },
  {
    flags: '--client-token <token>',
    text: 'Makes a repeat of this command within 24 hours, with the same token and arguments, answer what the first one did.',
    usually: 'one is drawn',
  },
];

/** What to print when an operation has ended: the resource as it stands then, or that it is gone. */
export type Outcome = { readonly kind: ResourceKind; readonly id?: string } | { readonly gone: string };

/** Begins an operation, waits for it unless told otherwise, and prints what came of it. */
export async function operate<O extends OperationName>(
  invocation: Invocation,
  context: Context,
  operation: O,
  request: Operations[O]['request'],
  outcome: Outcome,
): Promise<number | undefined> {
  const clientToken = invocation.text('clientToken') ?? randomUUID();
  return context.withClient(async (client) => {
    const begun = await begin(client, context, operation, request, clientToken);
    if (invocation.off('wait')) {
      await printOperation(client, context, begun.operationId);
      return undefined;
    }
    const ended = await wait(client, context, begun, invocation.number('timeout') ?? usualLimitMs, operation);
    if (!ended) return exitNotEnded;
    await printOutcome(client, context, begun.operationId, outcome);
    return undefined;
  });
}

async function begin<O extends OperationName>(
  client: Client,
  context: Context,
  operation: O,
  request: Operations[O]['request'],
  clientToken: string,
): Promise<Begun> {
  try {
    return await client.begin(operation, request, { clientToken, signal: context.signal });
  } catch (error) {
    if (error instanceof Interrupted)
      context.note(`interrupted before the operation was known; the same command with --client-token ${clientToken} tells what came of it`);
    throw error;
  }
}

/** Answers whether the operation has ended. @throws its error; Interrupted. */
async function wait(client: Client, context: Context, begun: Begun, limitMs: number, what: string): Promise<boolean> {
  const { operationId, ended } = begun;
  if (ended) return true;
  const limit = AbortSignal.timeout(limitMs);
  const signal = AbortSignal.any([context.signal, limit]);
  const progress = await progressBar(process.stderr, what === 'createVolume' ? 'filling' : what);
  const goesOn = client.embedded
    ? `operation ${operationId} goes on when a server, or the next command, opens this store`
    : `operation ${operationId} goes on in the server`;
  try {
    await client.waitFor(operationId, { signal, onProgress: (done, total) => progress.show(done, total) });
    return true;
  } catch (error) {
    if (context.signal.aborted) context.note(`interrupted; ${goesOn}: vbs operations show ${operationId}`);
    else if (limit.aborted) {
      context.tell(
        failure('DEADLINE_EXCEEDED', `not ended within ${limitMs / 1_000} s; ${goesOn}`, { context: { operationId, limitMs } }).problem,
      );
      return false;
    }
    throw context.signal.aborted ? context.signal.reason : error;
  } finally {
    progress.end();
  }
}

async function printOperation(client: Client, context: Context, operationId: string): Promise<void> {
  await context.printItem(await read(client, context, 'operations', operationId), resourceViews.operations);
}

async function printOutcome(client: Client, context: Context, operationId: string, outcome: Outcome): Promise<void> {
  if ('gone' in outcome) {
    // REST answers a delete with 204, and nothing.
    if (!context.json) context.line(context.settings.quiet ? outcome.gone : `${outcome.gone} is deleted`);
    return;
  }
  const { kind } = outcome;
  const id = outcome.id ?? (await read(client, context, 'operations', operationId)).resourceId;
  await printResource(client, context, kind, id);
}

async function printResource<K extends ResourceKind>(client: Client, context: Context, kind: K, id: string): Promise<void> {
  await context.printItem<Resources[K]>(await read(client, context, kind, id), resourceViews[kind]);
}

async function read<K extends ResourceKind>(client: Client, context: Context, kind: K, id: string): Promise<Resources[K]> {
  const { items } = await client.list(kind, { ids: [id] }, context.signal);
  const [item] = items;
  if (item === undefined) throw failure('NOT_FOUND', `${id} is gone again`, { context: { ids: [id] } });
  return item;
}
