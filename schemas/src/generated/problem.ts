// Generated from schemas/problem.schema.json by npm run generate: change that, not this.

/**
 * An error as a problem document (RFC 9457), with a code of docs/errors.md.
 */
export interface Problem {
  /**
   * A URI of the kind of problem.
   */
  type: string;
  /**
   * The kind of problem in a few words.
   */
  title: string;
  /**
   * The HTTP status.
   */
  status: number;
  /**
   * What happened and what to do; its words may change.
   */
  detail: string;
  /**
   * The id of the request, as in the log and in X-Request-Id.
   */
  instance?: string;
  /**
   * What a program decides by.
   */
  code:
    | 'INVALID_ARGUMENT'
    | 'OUT_OF_RANGE'
    | 'UNAUTHENTICATED'
    | 'PERMISSION_DENIED'
    | 'NOT_FOUND'
    | 'ALREADY_EXISTS'
    | 'FAILED_PRECONDITION'
    | 'ABORTED'
    | 'UNSUPPORTED'
    | 'RESOURCE_EXHAUSTED'
    | 'UNAVAILABLE'
    | 'DEADLINE_EXCEEDED'
    | 'CONFIG_INVALID'
    | 'PLUGIN_INVALID'
    | 'INTERNAL';
  /**
   * The id of the resource that the error is about.
   */
  resource?: string;
  /**
   * When to try again: never, after something was changed outside, or after a pause.
   */
  retry?: 'never' | 'after-fix' | 'backoff';
  /**
   * What else is known, such as the path of the wrong field.
   */
  context?: {
    [k: string]: unknown;
  };
}
