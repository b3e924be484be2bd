import { AsyncLocalStorage } from 'node:async_hooks';

/** Of all scopes of this process: Node.js keeps every storage that was ever used, and each promise pays for all of them. */
const current = new AsyncLocalStorage<ReadonlyMap<TransactionScope, { open: boolean }>>();

/**
 * Knows whether the code that runs now runs inside a transaction. SQLite's pool has one connection: whoever waits for it inside the
 * transaction that holds it would wait for ever.
 */
export class TransactionScope {
  run<T>(work: () => Promise<T>): Promise<T> {
    const scope = { open: true };
    return current.run(new Map(current.getStore()).set(this, scope), async () => {
      try {
        return await work();
      } finally {
        // What the work started and left behind may use the database again once the transaction has ended.
        scope.open = false;
      }
    });
  }

  /** @throws TypeError: the caller is inside a transaction, and must use that. */
  refuseInside(): void {
    if (current.getStore()?.get(this)?.open === true) {
      throw new TypeError('the database was asked from inside one of its own transactions: use the `trx` that the work was given');
    }
  }
}
