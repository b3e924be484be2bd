import type { Call } from '../contract/call.js';
import { isVbsError, VbsError } from '../errors.js';
import { OneAtATime } from '../plugin/one-at-a-time.js';

/** One change of an export at a time, for changes that are made of several acts; those of different exports run side by side. */
export class ExportTurns {
  readonly #turns = new OneAtATime();

  /** `hasChanged` tells whether any act of this call may have changed something outside. */
  constructor(private readonly hasChanged: (call: Call) => boolean) {}

  /**
   * A call that was cancelled between two acts has not left everything as it was (safety A1), though the act that it met had not begun.
   * @throws what the change throws; DEADLINE_EXCEEDED for ABORTED where the call has changed something.
   */
  run<T>(call: Call, exportId: string, change: () => Promise<T>): Promise<T> {
    return this.#turns.run(exportId, async () => {
      try {
        return await change();
      } catch (error) {
        if (!isVbsError(error) || error.code !== 'ABORTED' || !this.hasChanged(call)) throw error;
        throw new VbsError('DEADLINE_EXCEEDED', `${exportId} was changed in part: ${error.message}`, {
          resource: exportId,
          context: error.context,
          cause: error,
        });
      }
    });
  }
}
