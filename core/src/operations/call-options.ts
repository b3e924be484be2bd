import { createHash } from 'node:crypto';
import { VbsError } from '../errors.js';
import { requireFields, requireText } from '../model/text.js';
import type { ClientToken } from '../workflow/journal.js';
import type { WaitOptions } from '../workflow/operation-engine.js';

/** What every operation takes beside its request. */
export interface CallOptions {
  /** Ends the waiting, never the operation: a client that goes away cancels nothing. */
  readonly signal?: AbortSignal;
  /** Answers when the operation has ended, and throws its error; without it as soon as the operation is journalled. */
  readonly wait?: boolean;
  /** Makes a repeat of the call within 24 h answer what the first one did; at most 255 bytes. */
  readonly clientToken?: string;
  /** Durable progress of a fill, in bytes; with `wait`. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
  /** What to do while another operation holds a resource: `abort` with ABORTED, the default, or `wait` (a minute at most). */
  readonly ifBusy?: 'abort' | 'wait';
  /** The operation is cancelled, and taken back, when it has not ended after so many milliseconds. */
  readonly deadlineMs?: number;
  /** Told the operation's id once it is journalled. */
  readonly onOperation?: (operationId: string) => void;
}

const fields = [
  'signal',
  'wait',
  'clientToken',
  'onProgress',
  'ifBusy',
  'deadlineMs',
  'onOperation',
] as const satisfies (keyof CallOptions)[];

/** What a client token and a deadline mean for the journal. @throws INVALID_ARGUMENT, OUT_OF_RANGE: one of the options is not legal. */
export function journalOptions(
  options: CallOptions,
  request: unknown,
  now: number,
): { readonly clientToken?: ClientToken; readonly deadlineAt?: number } {
  requireFields(options, fields);
  const { clientToken, deadlineMs, ifBusy, wait } = options;
  if (wait !== undefined && typeof wait !== 'boolean') {
    throw new VbsError('INVALID_ARGUMENT', 'wait must be true or false', { context: { field: 'wait' } });
  }
  if (ifBusy !== undefined && ifBusy !== 'abort' && ifBusy !== 'wait') {
    throw new VbsError('INVALID_ARGUMENT', 'ifBusy must be abort or wait', { context: { field: 'ifBusy' } });
  }
  if (deadlineMs !== undefined && !(Number.isSafeInteger(deadlineMs) && deadlineMs > 0)) {
    throw new VbsError('OUT_OF_RANGE', 'deadlineMs must be a whole number of milliseconds above 0', { context: { field: 'deadlineMs' } });
  }
  return {
    ...(clientToken === undefined
      ? {}
      : { clientToken: { token: requireText(clientToken, 'clientToken', { maxBytes: 255 }), fingerprint: fingerprintOf(request) } }),
    ...(deadlineMs === undefined ? {} : { deadlineAt: now + deadlineMs }),
  };
}

/** A progress listener that throws ends the waiting with what it threw, and never the operation. */
export function waitOptions({ signal, onProgress }: CallOptions): WaitOptions {
  if (onProgress === undefined) return { signal };
  const broken = new AbortController();
  return {
    signal: AbortSignal.any([broken.signal, ...(signal === undefined ? [] : [signal])]),
    onProgress(doneBytes, totalBytes) {
      try {
        onProgress(doneBytes, totalBytes);
      } catch (error) {
        broken.abort(error);
      }
    },
  };
}

/** The same for the same request, whatever the order of its fields. */
function fingerprintOf(request: unknown): string {
  const fields = Object.entries(request as Record<string, unknown>).filter(([, value]) => value !== undefined);
  return createHash('sha256')
    .update(JSON.stringify(fields.sort(([one], [other]) => (one < other ? -1 : 1))))
    .digest('hex');
}
