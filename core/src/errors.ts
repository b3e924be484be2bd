/** When a caller may try again: never, after it changed something outside, or by itself after a pause. */
export type RetryAdvice = 'never' | 'after-fix' | 'backoff';

/**
 * What an error of this code says about a step that ended with it (safety A1): `failed`, the callee saw that
 * nothing changed; `unknown`, the effect may have happened or may still be to come.
 */
export type ErrorOutcome = 'failed' | 'unknown';

interface ErrorFacts {
  /** The HTTP status of the REST server; null for errors that end a start. */
  readonly http: number | null;
  readonly retry: RetryAdvice;
  readonly outcome: ErrorOutcome;
  readonly when: string;
}

/** Every error code of VBS. Codes do not change within a major version; messages may. Told in docs/errors.md. */
export const errorTable = {
  INVALID_ARGUMENT: {
    http: 400,
    retry: 'never',
    outcome: 'failed',
    when: 'A field of the request is not legal; `context.field` is its path.',
  },
  OUT_OF_RANGE: { http: 400, retry: 'never', outcome: 'failed', when: 'A number is outside its limits; `context.field` is its path.' },
  UNAUTHENTICATED: { http: 401, retry: 'never', outcome: 'failed', when: 'The caller did not say who it is.' },
  PERMISSION_DENIED: { http: 403, retry: 'never', outcome: 'failed', when: 'The caller, or the process, may not do this.' },
  NOT_FOUND: { http: 404, retry: 'never', outcome: 'failed', when: 'The named resource does not exist.' },
  ALREADY_EXISTS: { http: 409, retry: 'never', outcome: 'failed', when: 'The same key was used before with other parameters.' },
  FAILED_PRECONDITION: {
    http: 409,
    retry: 'after-fix',
    outcome: 'failed',
    when: 'The resource is in use, has dependants, is in the wrong state, or a guest is busy.',
  },
  ABORTED: {
    http: 409,
    retry: 'backoff',
    outcome: 'failed',
    when: 'Another operation holds the resource, or took it over, or the call was cancelled before it began.',
  },
  UNSUPPORTED: { http: 501, retry: 'never', outcome: 'failed', when: 'The plugin does not declare the capability.' },
  RESOURCE_EXHAUSTED: {
    http: 507,
    retry: 'after-fix',
    outcome: 'failed',
    when: 'The pool is full, a quota is reached, or no number is free.',
  },
  UNAVAILABLE: { http: 503, retry: 'backoff', outcome: 'unknown', when: 'A daemon, machine or tool does not answer.' },
  DEADLINE_EXCEEDED: { http: 504, retry: 'backoff', outcome: 'unknown', when: 'A call did not end within its time limit.' },
  CONFIG_INVALID: {
    http: null,
    retry: 'never',
    outcome: 'failed',
    when: 'The configuration is wrong; `context.faults` lists every fault.',
  },
  PLUGIN_INVALID: {
    http: null,
    retry: 'never',
    outcome: 'failed',
    when: 'A plugin cannot be loaded, or does not keep what its manifest says.',
  },
  INTERNAL: { http: 500, retry: 'never', outcome: 'unknown', when: 'Not mapped by whoever met it; `cause` keeps what it was.' },
} as const satisfies Readonly<Record<string, ErrorFacts>>;

export type ErrorCode = keyof typeof errorTable;

/** Plain data that explains an error: no secrets, nothing that does not survive JSON. */
export type ErrorContext = Readonly<Record<string, unknown>>;

export interface VbsErrorOptions {
  /** The id of the resource that the error is about. */
  readonly resource?: string;
  readonly context?: ErrorContext;
  readonly cause?: unknown;
}

const brand = Symbol.for('vbs.error');

/** The one error class of VBS; recognise it with {@link isVbsError}, which works across two copies of the core. */
export class VbsError extends Error {
  override readonly name = 'VbsError';
  readonly code: ErrorCode;
  readonly resource: string | undefined;
  readonly context: ErrorContext;
  readonly [brand] = true;

  constructor(code: ErrorCode, message: string, options: VbsErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.resource = options.resource;
    this.context = options.context ?? {};
  }

  get retry(): RetryAdvice {
    return errorTable[this.code].retry;
  }

  /** What crosses a process or lies in the journal: no stack, no cause. */
  toJSON(): SerializedError {
    return {
      code: this.code,
      message: this.message,
      ...(this.resource === undefined ? {} : { resource: this.resource }),
      context: plainContext(this.context),
    };
  }
}

/** A {@link VbsError} as plain data. */
export interface SerializedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly resource?: string;
  readonly context: ErrorContext;
}

export function isVbsError(value: unknown): value is VbsError {
  return typeof value === 'object' && value !== null && (value as { [brand]?: unknown })[brand] === true;
}

/** Any thrown value as a VbsError: itself, or INTERNAL with the value as its cause. */
export function toVbsError(value: unknown): VbsError {
  if (isVbsError(value)) return value;
  const text = value instanceof Error ? value.message : String(value);
  return new VbsError('INTERNAL', text, { cause: value });
}

/** What an act answers; undefined where it ended with one of these codes. Every other error is thrown on. */
export async function unlessCode<T>(codes: ErrorCode | readonly ErrorCode[], act: Promise<T>): Promise<T | undefined> {
  try {
    return await act;
  } catch (error) {
    if (isVbsError(error) && [codes].flat().includes(error.code)) return undefined;
    throw error;
  }
}

/** The error that {@link VbsError.toJSON} made plain. */
export function fromSerialized(error: SerializedError): VbsError {
  return new VbsError(error.code, error.message, {
    context: error.context,
    ...(error.resource === undefined ? {} : { resource: error.resource }),
  });
}

/** A context that survives JSON, whatever a plugin put into it. */
function plainContext(context: ErrorContext): ErrorContext {
  const seen = new WeakSet<object>();
  const plain = (_key: string, value: unknown): unknown => {
    if (typeof value === 'bigint' || typeof value === 'symbol' || typeof value === 'function') return String(value);
    if (typeof value !== 'object' || value === null) return value;
    if (seen.has(value)) return '[repeated]';
    seen.add(value);
    return value;
  };
  return JSON.parse(JSON.stringify(context, plain)) as ErrorContext;
}
