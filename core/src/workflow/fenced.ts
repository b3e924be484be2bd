import type { VbsError } from '../errors.js';

/** This process does not hold the operation any more: whoever meets it stops at once and touches nothing. */
export class Fenced extends Error {
  override readonly name = 'Fenced';
}

/** What a step asked for may still come (a guest that has not let go of a disk): neither done nor undone, and `error` says why. */
export class PendingEffect extends Error {
  override readonly name = 'PendingEffect';

  constructor(override readonly cause: VbsError) {
    super(cause.message);
  }
}
