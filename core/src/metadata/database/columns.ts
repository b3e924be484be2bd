import type { Knex } from 'knex';

/** What a column may be added to: `createTable` and `alterTable` both give one. */
type Table = Knex.TableBuilder;

/**
 * Adds a column of whole bytes (or of any other whole number that JavaScript must read back unchanged): 0 to 2^53 - 1, with a
 * CHECK that refuses what is larger, negative, broken or no number. Chain `.notNullable()` on the answer where it must be known.
 */
export function bytesColumn(table: Table, name: string): Knex.ColumnBuilder {
  const column = table.bigInteger(name);
  // SQLite keeps 1.5 and 'abc' in an integer column as they are: the comparison with the cast refuses them.
  table.check(`?? between 0 and ${Number.MAX_SAFE_INTEGER} and ?? = cast(?? as bigint)`, [name, name, name], `${name}_is_safe_integer`);
  return column;
}

/** Adds a text column with a CHECK that it is one of these states. Chain `.notNullable()` on the answer. */
export function stateColumn(table: Table, name: string, states: readonly string[]): Knex.ColumnBuilder {
  return table.text(name).checkIn([...states], `${name}_is_known`);
}
