import type { Knex } from 'knex';
import { fromJournalText, toJournalText } from './json.js';

type Row = Record<string, unknown>;

const toColumn = (field: string): string => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const toField = (column: string): string => column.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

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

  async insert(trx: Knex.Transaction, record: Omit<R, 'seq'>): Promise<void> {
    await trx(this.#name).insert(this.#toRow(record as unknown as Partial<R>));
  }

  /** Changes fields of one record. */
  async update(trx: Knex.Transaction, id: string, patch: Partial<R>): Promise<void> {
    await trx(this.#name).where({ id }).update(this.#toRow(patch));
  }

  /** Changes fields of the record where the condition holds too. Answers whether it did. */
  async updateIf(trx: Knex.Transaction, id: string, condition: Partial<R>, patch: Partial<R>): Promise<boolean> {
    const changed: number = await trx(this.#name).where({ id }).where(this.#toRow(condition)).update(this.#toRow(patch));
    return changed === 1;
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
