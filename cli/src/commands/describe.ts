import type { Client, ListRequest, ResourceKind, Resources } from '../client/client.js';
import { failure } from '../client/failure.js';
import type { OptionSpec } from '../command-spec.js';
import type { Context } from '../context/context.js';
import type { Invocation } from '../invocation.js';
import { resourceViews } from '../output/views.js';
import { type Kind, parseNumber, requireId } from './parse.js';

const mostOfOnePage = 1_000;
/** As many ids as a request line takes. */
const idsOfOneCall = 200;

/** The options of every describe. */
export function describeOptions(states: readonly string[]): readonly OptionSpec[] {
  return [
    { flags: '--state <state>', text: 'Only those in this state.', choices: states },
    { flags: '--limit <number>', text: `At most so many, up to ${mostOfOnePage}.`, parse: parseNumber(1, mostOfOnePage), usually: '100' },
    { flags: '--cursor <cursor>', text: 'Go on where an earlier page ended: the nextCursor of its JSON.' },
    { flags: '--all', text: 'All of them, however many: every page is read.' },
  ];
}

/** Describes resources: those that are named, or pages of all; oldest first. */
export async function describe<K extends ResourceKind>(
  invocation: Invocation,
  context: Context,
  kind: K,
  { idKind, more = {} }: { readonly idKind: Kind; readonly more?: Pick<ListRequest, 'volumeId' | 'resourceId'> },
): Promise<undefined> {
  const ids = invocation.rest(0).map((id, index) => requireId(idKind, id, `ids[${index}]`));
  const request = { ...more, ...given('state', invocation.text('state')), ...given('cursor', invocation.text('cursor')) };
  const limit = invocation.number('limit');
  const all = invocation.flag('all');
  if (all && (limit !== undefined || request.cursor !== undefined))
    throw failure('INVALID_ARGUMENT', '--all reads every page: leave --limit and --cursor out', { context: { field: 'all' } });
  return context.withClient(async (client) => {
    const found =
      ids.length > 0
        ? await byId(client, context, kind, ids, request)
        : await pages(client, context, kind, all ? { ...request, limit: mostOfOnePage } : { ...request, ...given('limit', limit) }, all);
    await context.printList(found.items, resourceViews[kind], found);
    // Also with --quiet: a script that loops over the ids has to learn that these are not all.
    if (found.nextCursor !== null && !context.json) context.warn(`there are more: --all, or --cursor ${found.nextCursor}`);
    return undefined;
  });
}

interface Found<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | null;
}

async function pages<K extends ResourceKind>(
  client: Client,
  context: Context,
  kind: K,
  request: ListRequest,
  all: boolean,
): Promise<Found<Resources[K]>> {
  const items: Resources[K][] = [];
  let cursor: string | null = request.cursor ?? null;
  do {
    const page: Found<Resources[K]> = await client.list(kind, { ...request, ...given('cursor', cursor ?? undefined) }, context.signal);
    items.push(...page.items);
    cursor = page.nextCursor;
  } while (all && cursor !== null);
  return { items, nextCursor: cursor };
}

async function byId<K extends ResourceKind>(
  client: Client,
  context: Context,
  kind: K,
  ids: readonly string[],
  request: ListRequest,
): Promise<Found<Resources[K]>> {
  const items: Resources[K][] = [];
  for (let first = 0; first < ids.length; first += idsOfOneCall) {
    const some = ids.slice(first, first + idsOfOneCall);
    const page = await client.list(kind, { ...request, ids: some }, context.signal);
    items.push(...page.items);
  }
  return { items, nextCursor: null };
}

/** A field that is there only with a value. */
export function given<N extends string, T>(name: N, value: T | undefined): { readonly [K in N]?: T } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [K in N]: T });
}
