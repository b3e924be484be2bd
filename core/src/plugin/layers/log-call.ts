import { performance } from 'node:perf_hooks';
import type { Call } from '../../contract/call.js';
import type { VbsError } from '../../errors.js';
import { errorTable, toVbsError } from '../../errors.js';
import type { Layer, LayeredMethod } from './layer.js';

function report(about: LayeredMethod, call: Call, startedAt: number, error: VbsError | null): void {
  const { instance, kind, method } = about;
  const fields = {
    instance,
    method,
    operationId: call.operationId,
    durationMs: Math.round(performance.now() - startedAt),
    ...(call.signal.aborted ? { aborted: true } : {}),
    ...(error === null ? {} : { code: error.code, error: error.message }),
  };
  if (error === null) call.log.debug(fields, `${method} succeeded`);
  else if (errorTable[error.code].outcome === 'failed') call.log.info(fields, `${method} failed`);
  else call.log.warn(fields, `${method} ended in doubt`);
  try {
    about.options.onCall?.({
      instance,
      kind,
      method,
      operationId: call.operationId,
      durationMs: fields.durationMs,
      code: error?.code ?? null,
      aborted: call.signal.aborted,
    });
  } catch (failure) {
    // Whoever counts calls must not decide how they end.
    call.log.error({ instance, method, error: String(failure) }, 'the observer of calls failed');
  }
}

/** Logs each attempt's end and tells the observer; requests and answers, which may hold secrets, are never logged. */
export const logCall: Layer = (next, about) => async (call, request) => {
  const startedAt = performance.now();
  try {
    const answer = await next(call, request);
    report(about, call, startedAt, null);
    return answer;
  } catch (error) {
    report(about, call, startedAt, toVbsError(error));
    throw error;
  }
};
