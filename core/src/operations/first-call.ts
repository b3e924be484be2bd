import type { Knex } from 'knex';
import { type OperationRecord, operations } from '../metadata/operations.js';
import { type ClientToken, tokenLifeMs } from '../workflow/journal.js';

/**
 * The operation of an earlier call with this token and request: a repeat is answered from it, also when what the first call needed is
 * gone since. The journal looks again, in the transaction that begins an operation, at calls that come at the same time.
 */
export async function firstCall(db: Knex, kind: string, { token, fingerprint }: ClientToken, now: number): Promise<OperationRecord | null> {
  const [record] = await operations.list(db, (query) => query.where({ kind, client_token: token, fingerprint }));
  return record === undefined || record.createdAt < now - tokenLifeMs ? null : record;
}
