import type { Attachment, Operation, Snapshot, Volume } from '@vbs/schemas';
import type { Knex } from 'knex';
import { VbsError } from '../errors.js';
import { type AttachmentRecord, attachmentStates, attachments } from '../metadata/attachments.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import { listSteps, type OperationRecord, operationStates, operations } from '../metadata/operations.js';
import { type Page, type PageRequest, readPage } from '../metadata/page.js';
import { type SnapshotRecord, snapshotStates, snapshots } from '../metadata/snapshots.js';
import type { Table } from '../metadata/table.js';
import { type VolumeRecord, volumeStates, volumes } from '../metadata/volumes.js';
import { type IdKind, isId, requireId } from '../model/ids.js';
import { shown } from '../model/shown.js';
import { requireFields } from '../model/text.js';
import { viewAttachments, viewOperation, viewSnapshot, viewVolumes } from './views.js';

/** What every describe takes. */
export interface DescribeRequest extends PageRequest {
  /** Only these, all of which must exist; at most 1,000. */
  readonly ids?: readonly string[];
  readonly state?: string;
}

const fields = ['ids', 'state', 'limit', 'cursor'];
const maxIds = 1_000;
/** How many missing ids a message names; the context has all. */
const namedIds = 10;

/** One entry of an operation's journal. */
export interface JournalEntry {
  readonly step: string;
  readonly act: 'do' | 'undo';
  readonly outcome: 'intended' | 'done' | 'failed' | 'unknown';
  readonly at: string;
}

/** The describes: they read the metadata alone, and never the outside. */
export class Queries {
  readonly #store: MetadataStore;
  readonly #stepName: (record: OperationRecord) => string | null;

  constructor(store: MetadataStore, stepName: (record: OperationRecord) => string | null) {
    this.#store = store;
    this.#stepName = stepName;
  }

  async volumes(request: DescribeRequest = {}): Promise<Page<Volume>> {
    requireFields(request, fields);
    const page = await this.#page<VolumeRecord>(volumes, 'volume', volumeStates, request);
    return { ...page, items: await viewVolumes(this.#store.db, page.items) };
  }

  async snapshots(request: DescribeRequest = {}): Promise<Page<Snapshot>> {
    requireFields(request, fields);
    const page = await this.#page<SnapshotRecord>(snapshots, 'snapshot', snapshotStates, request);
    return { ...page, items: page.items.map(viewSnapshot) };
  }

  async attachments(request: DescribeRequest & { readonly volumeId?: string } = {}): Promise<Page<Attachment>> {
    requireFields(request, [...fields, 'volumeId']);
    const { volumeId, ...rest } = request;
    const ofVolume = volumeId === undefined ? undefined : requireId('volume', volumeId, 'volumeId');
    const page = await this.#page<AttachmentRecord>(attachments, 'attachment', attachmentStates, rest, (query) =>
      ofVolume === undefined ? query : query.where({ volume_id: ofVolume }),
    );
    return { ...page, items: await viewAttachments(this.#store.db, page.items) };
  }

  async operations(request: DescribeRequest & { readonly resourceId?: string } = {}): Promise<Page<Operation>> {
    requireFields(request, [...fields, 'resourceId']);
    const { resourceId, ...rest } = request;
    const ofResource = resourceId === undefined ? undefined : requireResourceId(resourceId);
    const page = await this.#page<OperationRecord>(operations, 'operation', operationStates, rest, (query) =>
      ofResource === undefined ? query : query.where({ resource_id: ofResource }),
    );
    return { ...page, items: page.items.map((record) => viewOperation(record, this.#stepName)) };
  }

  /** An operation's journal, oldest first. @throws NOT_FOUND */
  async journal(operationId: string): Promise<readonly JournalEntry[]> {
    await this.operations({ ids: [operationId] });
    const entries = await listSteps(this.#store.db, operationId);
    return entries.map(({ step, act, outcome, at }) => ({ step, act, outcome, at: new Date(at).toISOString() }));
  }

  async #page<R extends { readonly id: string; readonly seq: number }>(
    table: Table<R>,
    kind: IdKind,
    states: readonly string[],
    { ids, state, ...page }: DescribeRequest,
    filter: (query: Knex.QueryBuilder) => Knex.QueryBuilder = (query) => query,
  ): Promise<Page<R>> {
    const query = filter(table.query(this.#store.db));
    if (state !== undefined) {
      if (!states.includes(state))
        throw new VbsError('INVALID_ARGUMENT', `state must be one of ${states.join(', ')}`, { context: { field: 'state', states } });
      query.where({ state });
    }
    if (ids !== undefined) query.whereIn('id', requireIds(kind, ids));
    const rows = await readPage<R & Record<string, unknown>>(
      query,
      ids !== undefined && page.limit === undefined ? { ...page, limit: Math.max(ids.length, 1) } : page,
    );
    // Where all of them came, none is missing; else a filter or the page may have left them out.
    if (ids !== undefined && rows.items.length < new Set(ids).size) await this.#requireExisting(table, kind, ids);
    return { ...rows, items: rows.items.map((row) => table.toRecord(row)) };
  }

  async #requireExisting<R extends { readonly id: string }>(table: Table<R>, kind: IdKind, ids: readonly string[]): Promise<void> {
    const found: { id: string }[] = await table.query(this.#store.db).whereIn('id', ids).select('id');
    const known = new Set(found.map(({ id }) => id));
    const missing = ids.filter((id) => !known.has(id));
    const [first] = missing;
    if (first === undefined) return;
    const others = missing.length > namedIds ? `, and ${missing.length - namedIds} more` : '';
    throw new VbsError('NOT_FOUND', `there is no ${kind} ${missing.slice(0, namedIds).join(', ')}${others}`, {
      resource: first,
      context: { field: 'ids', ids: missing },
    });
  }
}

function requireIds(kind: IdKind, ids: unknown): readonly string[] {
  if (!Array.isArray(ids)) throw new VbsError('INVALID_ARGUMENT', 'ids must be a list of ids', { context: { field: 'ids' } });
  if (ids.length > maxIds)
    throw new VbsError('OUT_OF_RANGE', `ids must be at most ${maxIds}; ask for more in several calls`, { context: { field: 'ids' } });
  return ids.map((id: unknown, index) => requireId(kind, id, `ids[${index}]`));
}

function requireResourceId(value: unknown): string {
  if (typeof value === 'string' && (['volume', 'snapshot', 'attachment'] as const).some((kind) => isId(kind, value))) return value;
  throw new VbsError('INVALID_ARGUMENT', `resourceId must be the id of a volume, a snapshot or an attachment; got ${shown(value)}`, {
    context: { field: 'resourceId' },
  });
}
