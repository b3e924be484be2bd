import { randomBytes } from 'node:crypto';
import type { Knex } from 'knex';
import { VbsError } from '../../errors.js';
import type { Database } from './open-database.js';

/** A row of the table `store`. */
interface StoreRow {
  readonly key: string;
  readonly value: string;
}

const idKey = 'id';
const epochKey = 'epoch';
const poolPrefix = 'pool:';
const masterKeyKey = 'master-key';

const store = (db: Knex) => db<StoreRow>('store');

/** The store's id (safety D1): 32 hex digits, drawn when it is first asked for, the same ever after and for every process. */
export function storeId(database: Database): Promise<string> {
  return database.transaction(async (trx) => {
    await insertIfAbsent(trx, idKey, randomBytes(16).toString('hex'));
    const value = await read(trx, idKey);
    if (!/^[0-9a-f]{32}$/.test(value)) throw damaged(idKey, value);
    return value;
  });
}

/** Raises the counter that orders the holders of leases (safety B1) and answers it: 1 at first, never the same twice once committed. */
export async function nextEpoch(trx: Knex.Transaction): Promise<number> {
  // One statement, since every operation begins with it: counts on only from what is a whole number, and tells what it came to.
  const [raised] = await store(trx)
    .insert({ key: epochKey, value: '1' })
    .onConflict('key')
    .merge({ value: trx.raw('cast(cast(?? as bigint) + 1 as text)', ['store.value']) })
    .whereRaw("cast(cast(?? as bigint) as text) = ?? and ?? not like '-%'", ['store.value', 'store.value', 'store.value'])
    .returning('value');
  if (raised === undefined) throw damaged(epochKey, await read(trx, epochKey));
  const next = Number(raised.value);
  if (!Number.isSafeInteger(next)) throw damaged(epochKey, raised.value);
  return next;
}

/** Raises the counter to at least `epoch`: the next one given is higher than whatever the pools have seen. */
export async function raiseEpoch(trx: Knex.Transaction, epoch: number): Promise<void> {
  await insertIfAbsent(trx, epochKey, '0');
  const known = Number(await read(trx, epochKey));
  if (known < epoch)
    await store(trx)
      .where({ key: epochKey })
      .update({ value: String(epoch) });
}

/** The highest epoch that {@link nextEpoch} answered in a committed transaction; 0 before the first. */
export async function currentEpoch(db: Knex): Promise<number> {
  const row = await store(db).where({ key: epochKey }).first('value');
  return Number(row?.value ?? 0);
}

/** Records that the store has used this instance's pool: a pool without a mark is then never marked again (safety D1). */
export function rememberPool(trx: Knex.Transaction, instanceName: string): Promise<void> {
  return insertIfAbsent(trx, `${poolPrefix}${instanceName}`, instanceName);
}

/** The names of the instances whose pools the store has used. */
export async function knownPools(db: Knex): Promise<ReadonlySet<string>> {
  const rows = await store(db).where('key', 'like', `${poolPrefix}%`).select('value');
  return new Set(rows.map((row) => row.value));
}

/** A hash that tells the store's master key from others (safety E5); null before it had one. */
export async function masterKeyMark(db: Knex): Promise<string | null> {
  const row = await store(db).where({ key: masterKeyKey }).first('value');
  return row?.value ?? null;
}

/** Records the mark of the store's master key at its first use. Answers the one that counts. */
export async function rememberMasterKey(trx: Knex.Transaction, mark: string): Promise<string> {
  await insertIfAbsent(trx, masterKeyKey, mark);
  return read(trx, masterKeyKey);
}

async function insertIfAbsent(trx: Knex.Transaction, key: string, value: string): Promise<void> {
  await store(trx).insert({ key, value }).onConflict('key').ignore();
}

/** Reads a row and holds it until the transaction ends, where the database locks single rows. */
async function read(trx: Knex.Transaction, key: string): Promise<string> {
  const row = await store(trx).where({ key }).forUpdate().first('value');
  if (row === undefined) throw damaged(key, undefined);
  return row.value;
}

function damaged(key: string, value: string | undefined): VbsError {
  return new VbsError(
    'FAILED_PRECONDITION',
    `the table "store" holds no legal "${key}": somebody changed the database by hand; restore a copy`,
    {
      context: { key, value: value ?? null },
    },
  );
}
