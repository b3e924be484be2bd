import type { ErrorCode } from '@vbs/core';

/** A request that must be refused, and how. In texts, `{volume}` and the like stand for the ids of the place where it is sent. */
export interface BadRequest {
  readonly what: string;
  /** POST with a body, GET without one. */
  readonly method?: string;
  readonly path: string;
  /** Beside `Host`, `Content-Type` and `Content-Length`; each line as it stands. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** `localhost` unless told; none when null. */
  readonly host?: string | null;
  /** `application/json` with a body, unless told; none when null. */
  readonly type?: string | null;
  /** The length of the body unless told; none when null. */
  readonly length?: string | null;
  /** Bytes or a text as they stand; anything else as JSON. */
  readonly body?: unknown;
  /** In place of all of the above: what goes over the wire. */
  readonly raw?: string | Buffer;
  /** The client says that nothing more comes. */
  readonly ends?: boolean;
  readonly status: number;
  readonly code: ErrorCode;
  /** What `context.field` says; null where no one field is wrong, but the state of the `resource`. */
  readonly field: string | null;
  /** An operation is begun, and fails: what is left is its journal. */
  readonly begins?: boolean;
  /** What `detail` says too. */
  readonly detail?: RegExp;
  /** What `Allow` says. */
  readonly allow?: string;
}

type Refused = Partial<Pick<BadRequest, 'status' | 'code' | 'detail' | 'begins'>>;

/** A body for a path that is refused by one of its fields. */
export const bodyTo =
  (path: string, method = 'POST') =>
  (what: string, body: unknown, field: string | null, refused: Refused = {}): BadRequest => ({
    what,
    method,
    path,
    body,
    status: 400,
    code: 'INVALID_ARGUMENT',
    field,
    ...refused,
  });

export const outOfRange = { code: 'OUT_OF_RANGE' } as const;
export const notFound = { status: 404, code: 'NOT_FOUND' } as const;
export const failedPrecondition = { status: 409, code: 'FAILED_PRECONDITION' } as const;

/** Ids of the right form that nothing has. */
export const unknownIds = {
  volume: 'vol-00000000000000000',
  snapshot: 'snap-00000000000000000',
  attachment: 'att-00000000000000000',
  operation: 'op-00000000000000000',
} as const;
