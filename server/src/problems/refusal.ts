import { type ErrorCode, VbsError } from '@vbs/core';

interface RefusalOptions {
  /** The HTTP status, where it says more than that of the code. */
  readonly status: number;
  /** The header, parameter or part of the request that is wrong. */
  readonly field?: string;
  readonly context?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What this server refuses by itself: a code of docs/errors.md with a status and headers of HTTP. */
export class Refusal extends VbsError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, message: string, { status, field, context, headers }: RefusalOptions) {
    super(code, message, { context: { ...(field === undefined ? {} : { field }), ...context } });
    this.status = status;
    this.headers = headers ?? {};
  }
}

/** A field of the request that is not legal. */
export function invalid(field: string, message: string, context: Readonly<Record<string, unknown>> = {}): VbsError {
  return new VbsError('INVALID_ARGUMENT', message, { context: { field, ...context } });
}

/** What is over a limit for now. */
export function tooMany(message: string): Refusal {
  return new Refusal('UNAVAILABLE', message, { status: 503, headers: { 'retry-after': '1' } });
}

export function closing(): Refusal {
  return new Refusal('UNAVAILABLE', 'this server is closing; try again when it was started again', {
    status: 503,
    headers: { connection: 'close', 'retry-after': '5' },
  });
}
