import type { ErrorContext } from '../../errors.js';
import { isVbsError, toVbsError, VbsError } from '../../errors.js';
import type { Layer } from './layer.js';
import { passOnStillRunning } from './still-running.js';

/** The same error with more context; what the error is (code, message, resource, cause, stack) stays. */
export function withContext(thrown: unknown, context: ErrorContext): VbsError {
  const error = toVbsError(thrown);
  const told = new VbsError(error.code, error.message, {
    context: { ...error.context, ...context },
    ...(error.resource === undefined ? {} : { resource: error.resource }),
    ...(error.cause === undefined ? {} : { cause: error.cause }),
  });
  if (isVbsError(thrown) && thrown.stack !== undefined) told.stack = thrown.stack;
  passOnStillRunning(thrown, told);
  return told;
}

/** Says in every error which instance and method it came from; what is no VbsError becomes INTERNAL and keeps its cause. */
export const errorContext: Layer =
  (next, { instance, method }) =>
  async (call, request) => {
    try {
      return await next(call, request);
    } catch (error) {
      throw withContext(error, { instance, method });
    }
  };
