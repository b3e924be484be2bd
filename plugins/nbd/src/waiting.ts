import { type Call, VbsError } from '@vbs/core';

/** Whether the promise ended within the limit. */
export async function within(promise: Promise<unknown>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  try {
    return await Promise.race([promise.then(() => true as const), limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** The promise's end, or DEADLINE_EXCEEDED when the call is aborted before. */
export async function abortable(call: Call, promise: Promise<unknown>, message: string): Promise<void> {
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(new VbsError('DEADLINE_EXCEEDED', message, { cause: call.signal.reason }));
    call.signal.addEventListener('abort', abort, { once: true });
  });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    call.signal.removeEventListener('abort', abort);
  }
}
