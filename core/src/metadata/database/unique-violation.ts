import { VbsError } from '../../errors.js';

/** What the database says of a broken unique key: `columns` without the table's name; `index` where it names an index instead. */
export interface UniqueKey {
  readonly table: string | null;
  readonly columns: readonly string[];
  readonly index: string | null;
}

/**
 * A row was refused because another has the same unique key. It is INTERNAL until somebody says what that means there
 * (ABORTED: another operation was faster; ALREADY_EXISTS: a client token used twice; an id drawn twice: draw another).
 */
export class UniqueViolation extends VbsError {
  readonly key: UniqueKey;

  constructor(key: UniqueKey, cause: unknown) {
    const where = key.index === null ? `${key.table}(${key.columns.join(', ')})` : `index ${key.index}`;
    super('INTERNAL', `the database has a row with the same unique key: ${where}`, { context: { ...key }, cause });
    this.key = key;
  }

  /** Whether the broken key is the one over exactly these columns of the table, in any order. */
  isOf(table: string, ...columns: readonly string[]): boolean {
    const { key } = this;
    return key.table === table && key.columns.length === columns.length && columns.every((column) => key.columns.includes(column));
  }
}
