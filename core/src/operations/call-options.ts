import { createHash } from 'node:crypto';
import { anySignal } from '../any-signal.js';
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

const isFunction = (value: unknown): boolean => typeof value === 'function';

/** What each option must be, beside undefined. */
const legal: { readonly [K in keyof CallOptions]-?: readonly [isLegal: (value: unknown) => boolean, what: string] } = {
  signal: [(value) => value instanceof AbortSignal, 'an AbortSignal'],
  wait: [(value) => typeof value === 'boolean', 'true or false'],
  clientToken: [(value) => typeof value === 'string', 'a text'],
  onProgress: [isFunction, 'a function'],
  ifBusy: [(value) => value === 'abort' || value === 'wait', 'abort or wait'],
  deadlineMs: [(value) => typeof value === 'number', 'a number of milliseconds'],
  onOperation: [isFunction, 'a function'],
};

function requireOptions(options: CallOptions): void {
  requireFields(options, Object.keys(legal), 'options');
  for (const [field, [isLegal, what]] of Object.entries(legal)) {
    const value: unknown = options[field as keyof CallOptions];
    if (value !== undefined && !isLegal(value)) throw new VbsError('INVALID_ARGUMENT', `${field} must be ${what}`, { context: { field } });
  }
}

/** What a client token and a deadline mean for the journal. @throws INVALID_ARGUMENT, OUT_OF_RANGE: an option is not legal. */
export function journalOptions(
  options: CallOptions,
  request: unknown,
  now: number,
): { readonly clientToken?: ClientToken; readonly deadlineAt?: number } {
  requireOptions(options);
  const { clientToken, deadlineMs } = options;
  if (deadlineMs !== undefined && !(deadlineMs > 0 && Number.isSafeInteger(deadlineMs) && Number.isSafeInteger(now + deadlineMs))) {
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
    signal: anySignal(broken.signal, signal),
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
  return createHash('sha256').update(canonicalText(request)).digest('hex');
}

function canonicalText(request: unknown): string {
  try {
    const fields = Object.entries(request as Record<string, unknown>).filter(([, value]) => value !== undefined);
    return JSON.stringify(fields.sort(([one], [other]) => (one < other ? -1 : 1)));
  } catch (cause) {
    throw new VbsError('INVALID_ARGUMENT', 'request must be an object of texts, numbers, true, false and null', {
      context: { field: 'request' },
      cause,
    });
  }
}
