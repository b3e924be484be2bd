import type { Knex } from 'knex';
import { fromJournalText, toJournalText } from './json.js';

type Row = Record<string, unknown>;

const toColumn = remembering((field) => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
const toField = remembering((column) => column.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()));

/** The rows of one table as records: columns in snake_case become fields in camelCase, the named JSON fields become plain data. */
export class Table<R extends { readonly id: string }> {
  readonly #name: string;
  readonly #jsonFields: ReadonlySet<string>;

  constructor(name: string, jsonFields: readonly (keyof R & string)[] = []) {
    this.#name = name;
    this.#jsonFields = new Set(jsonFields);
  }

  /** A query over the table, for conditions and pages; its rows go through {@link toRecord}. */
  query(db: Knex): Knex.QueryBuilder {
    return db(this.#name);
  }

  toRecord(row: Row): R {
    const record: Row = {};
    for (const [column, value] of Object.entries(row)) {
      const field = toField(column);
      record[field] = this.#jsonFields.has(field) && typeof value === 'string' ? fromJournalText(value) : value;
    }
    return record as unknown as R;
  }

  #toRow(record: Partial<R>): Row {
    const row: Row = {};
    for (const [field, value] of Object.entries(record)) {
      if (value !== undefined) row[toColumn(field)] = this.#jsonFields.has(field) && value !== null ? toJournalText(value) : value;
    }
    return row;
  }

  /** Answers the record as it is now. */
  async insert(trx: Knex.Transaction, record: Omit<R, 'seq'>): Promise<R> {
    const [row]: Row[] = await trx(this.#name)
      .insert(this.#toRow(record as unknown as Partial<R>))
      .returning('*');
    if (row === undefined) throw new TypeError(`an insert into ${this.#name} answered nothing`);
    return this.toRecord(row);
  }

  /** Changes fields of one record. Answers it as it is now; null when there is none. */
  update(trx: Knex.Transaction, id: string, patch: Partial<R>): Promise<R | null> {
    return this.updateIf(trx, id, (query) => query, patch);
  }

  /** Changes fields of one record where the condition holds too. Answers it as it is now; null where it did not. */
  async updateIf(
    trx: Knex.Transaction,
    id: string,
    condition: Partial<R> | ((query: Knex.QueryBuilder) => Knex.QueryBuilder),
    patch: Partial<R>,
  ): Promise<R | null> {
    const query = trx(this.#name).where({ id });
    const narrowed = typeof condition === 'function' ? condition(query) : query.where(this.#toRow(condition));
    const [row]: Row[] = await narrowed.update(this.#toRow(patch)).returning('*');
    return row === undefined ? null : this.toRecord(row);
  }

  async delete(trx: Knex.Transaction, id: string): Promise<void> {
    await trx(this.#name).where({ id }).delete();
  }

  async get(db: Knex, id: string): Promise<R | null> {
    const row: Row | undefined = await db(this.#name).where({ id }).first();
    return row === undefined ? null : this.toRecord(row);
  }

  /** Every record that a condition selects, oldest first. */
  async list(db: Knex, condition: (query: Knex.QueryBuilder) => Knex.QueryBuilder): Promise<R[]> {
    const rows: Row[] = await condition(db(this.#name)).orderBy('seq');
    return rows.map((row) => this.toRecord(row));
  }
}

/** The names are few, and each row asks for all of its table's. */
function remembering(convert: (name: string) => string): (name: string) => string {
  const known = new Map<string, string>();
  return (name) => {
    const found = known.get(name) ?? convert(name);
    known.set(name, found);
    return found;
  };
}
