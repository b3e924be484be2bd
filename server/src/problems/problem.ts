import { type ErrorCode, type ErrorContext, errorTable, isVbsError } from '@vbs/core';
import type { Problem } from '@vbs/schemas';
import { withoutHidden } from './hidden-characters.js';
import { withoutPaths, withoutPathsIn } from './hide-paths.js';
import { Refusal } from './refusal.js';

export const problemType = 'application/problem+json';

/** What says how this machine is set up, and is for its log alone. */
const forTheLog: ReadonlySet<string> = new Set(['command', 'exitCode', 'stderr', 'stdout', 'tool', 'database', 'copies', 'path', 'pid']);

export interface ProblemAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Problem;
}

/** The parts of an error's context that callers may see. */
export function publicContext(context: ErrorContext): Record<string, unknown> {
  return withoutPathsIn(Object.fromEntries(Object.entries(context).filter(([key]) => !forTheLog.has(key))));
}

/**
 * Any thrown value as an answer (RFC 9457); whole to the operator, without what says how this machine is set up to others. What nobody
 * mapped tells nothing of itself: the log has it by the request's id.
 */
export function problemOf(thrown: unknown, requestId: string, isOperator = false): ProblemAnswer {
  if (!isVbsError(thrown) || thrown.code === 'INTERNAL') return internal(thrown, requestId);
  const { code, message, resource, retry } = thrown;
  const status = thrown instanceof Refusal ? thrown.status : (errorTable[code].http ?? 500);
  const { context } = thrown.toJSON();
  return {
    status,
    headers: thrown instanceof Refusal ? thrown.headers : {},
    body: {
      type: typeOf(code),
      title: titleOf(code),
      status,
      detail: withoutHidden(isOperator ? message : withoutPaths(message)),
      instance: requestId,
      code,
      ...(resource === undefined ? {} : { resource: withoutHidden(resource) }),
      retry,
      context: isOperator ? { ...context } : publicContext(context),
    },
  };
}

/** INTERNAL keeps only what says which operation and resource it is about. */
function internal(thrown: unknown, requestId: string): ProblemAnswer {
  const { resource, context } = isVbsError(thrown) ? thrown : { resource: undefined, context: {} as ErrorContext };
  const { operationId, remains } = context;
  const of = typeof operationId === 'string' ? ` of operation ${operationId}` : '';
  return {
    status: 500,
    headers: {},
    body: {
      type: typeOf('INTERNAL'),
      title: titleOf('INTERNAL'),
      status: 500,
      detail: `a fault of VBS or of a plugin${of}; the server's log tells it under the request id ${requestId}`,
      instance: requestId,
      code: 'INTERNAL',
      ...(resource === undefined ? {} : { resource }),
      retry: errorTable.INTERNAL.retry,
      context: publicContext({ ...(operationId === undefined ? {} : { operationId }), ...(remains === undefined ? {} : { remains }) }),
    },
  };
}

/** Where the server's own page of codes tells this one. */
const typeOf = (code: ErrorCode): string => `/docs/errors#${code}`;

function titleOf(code: ErrorCode): string {
  const words = code.toLowerCase().replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
