import { type ErrorCode, errorTable, isVbsError } from '@vbs/core/errors';
import type { Problem } from '@vbs/schemas';

/** The status of a code; 500 for those that end a start, which no server answers. */
export function statusOfCode(code: ErrorCode): number {
  return errorTable[code].http ?? 500;
}

/** An error as a problem document: a server's answer, or what the command line itself found wrong. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly problem: Problem;

  constructor(problem: Problem, options: { readonly cause?: unknown } = {}) {
    super(problem.detail, options);
    this.problem = problem;
  }
}

/** A failure that the command line itself found. */
export function failure(
  code: ErrorCode,
  detail: string,
  { context, cause }: { readonly context?: Problem['context']; readonly cause?: unknown } = {},
): Failure {
  const problem: Problem = {
    type: 'about:blank',
    title: titleOf(code),
    status: statusOfCode(code),
    detail,
    code,
    ...(context === undefined ? {} : { context }),
  };
  return new Failure(problem, cause === undefined ? {} : { cause });
}

/** A code in words: `NOT_FOUND` is `Not found`. */
export function titleOf(code: string): string {
  const words = code.toLowerCase().replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Any thrown value as a problem; what nobody mapped is INTERNAL. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Failure) return error.problem;
  if (isVbsError(error)) {
    const { code, message, resource, retry } = error;
    return {
      type: 'about:blank',
      title: titleOf(code),
      status: statusOfCode(code),
      detail: message,
      code,
      ...(resource === undefined ? {} : { resource }),
      retry,
      context: error.toJSON().context,
    };
  }
  return failure('INTERNAL', error instanceof Error ? error.message : String(error)).problem;
}
