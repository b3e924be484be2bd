// Longer than 400 lines: one table of what every layer does with every ending of a call, and the cases that need it whole.
import { setTimeout as pause } from 'node:timers/promises';
import { type Call, type ErrorCode, isVbsError, methodFacts, VbsError } from '@vbs/core';
import { type CallRecord, type LayerOptions, layered, whenSettled } from '@vbs/core/internal/plugin/layers/index.js';
import test, { type ExecutionContext } from 'ava';
import { memoryLog, testCall } from './fixtures.js';

/** For calls that shall reach it; all others have time enough on a busy machine. */
const limitMs = 60;
const enoughMs = 60_000;
const graceMs = 600;

type Body = (call: Call, attempt: number) => Promise<unknown>;

/** deleteVolume with `body` as the plugin's, behind all layers. Its limit is absolute unless told. */
function deleteVolumeOf(body: Body, options: LayerOptions & { readonly limitMs?: number; readonly idleLimitMs?: number } = {}) {
  let attempts = 0;
  const target = {
    deleteVolume: (call: Call) => {
      attempts += 1;
      return body(call, attempts);
    },
  };
  const contract = layered({
    instance: 'vs1/fast',
    kind: 'volumeBackend',
    target,
    capabilities: new Set(),
    facts: {
      ...methodFacts.volumeBackend,
      deleteVolume:
        options.idleLimitMs === undefined
          ? { timeLimitMs: options.limitMs ?? enoughMs }
          : { timeLimitMs: options.idleLimitMs, limitCounts: 'idle' },
    },
    options: { graceMs, retry: { retries: 2, firstPauseMs: 5 }, ...options },
  });
  return {
    attempts: () => attempts,
    run: (call: Partial<Call> = {}) => contract.deleteVolume(testCall(call), { id: 'vol-00000000000000001' }) as Promise<unknown>,
  };
}

async function failure(t: ExecutionContext, promise: Promise<unknown>): Promise<VbsError> {
  const error = await promise.then(
    (answer) => t.fail(`answered ${JSON.stringify(answer)}`),
    (reason: unknown) => reason,
  );
  if (!isVbsError(error)) throw new Error('no VbsError', { cause: error });
  return error;
}

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
const forever = (): Promise<never> => new Promise(() => undefined);

interface Row {
  readonly body: Body;
  readonly answer?: unknown;
  readonly code?: ErrorCode;
  readonly attempts?: number;
  readonly stillRuns?: boolean;
  readonly limitMs?: number;
  readonly idleLimitMs?: number;
  readonly cancelAfterMs?: number;
  readonly context?: Readonly<Record<string, unknown>>;
}

const ending = test.macro(async (t, row: Row) => {
  const running = new Set<Promise<unknown>>();
  const { run, attempts } = deleteVolumeOf(row.body, {
    running,
    ...(row.limitMs === undefined ? {} : { limitMs: row.limitMs }),
    ...(row.idleLimitMs === undefined ? {} : { idleLimitMs: row.idleLimitMs }),
  });
  const caller = new AbortController();
  if (row.cancelAfterMs !== undefined) setTimeout(() => caller.abort(new Error('the client went away')), row.cancelAfterMs);
  const promise = run({ signal: caller.signal });
  if (row.code === undefined) {
    t.deepEqual(await promise, row.answer);
  } else {
    const error = await failure(t, promise);
    t.is(error.code, row.code);
    t.like(error.context, { instance: 'vs1/fast', method: 'deleteVolume', ...row.context });
    t.is(whenSettled(error) !== undefined, row.stillRuns === true);
  }
  t.is(attempts(), row.attempts ?? 1);
  t.is(running.size, row.stillRuns === true ? 1 : 0);
});

test('layers › a success is answered', ending, { body: async () => ({ sizeBytes: 1 }), answer: { sizeBytes: 1 } });
test('layers › a VbsError keeps its code and its context', ending, {
  body: async () => {
    throw new VbsError('FAILED_PRECONDITION', 'snapshots depend on it', { context: { dependants: ['snap-1'] } });
  },
  code: 'FAILED_PRECONDITION',
  context: { dependants: ['snap-1'] },
});
test('layers › what is no VbsError is INTERNAL', ending, {
  body: async () => {
    throw new RangeError('off by one');
  },
  code: 'INTERNAL',
});
test('layers › a method that throws before it answers a promise is INTERNAL', ending, {
  body: () => {
    throw new RangeError('off by one');
  },
  code: 'INTERNAL',
});
test('layers › a thrown text is INTERNAL', ending, {
  body: async () => {
    throw 'a text';
  },
  code: 'INTERNAL',
});
test('layers › a call that ends when it is aborted is DEADLINE_EXCEEDED, and nothing runs on', ending, {
  limitMs,
  body: async ({ signal }) => {
    await untilAborted(signal);
    signal.throwIfAborted();
  },
  code: 'DEADLINE_EXCEEDED',
  context: { limitMs },
});
test('layers › the AbortError of a tool after the limit is DEADLINE_EXCEEDED', ending, {
  limitMs,
  body: ({ signal }) => pause(10_000, undefined, { signal }),
  code: 'DEADLINE_EXCEEDED',
});
test('layers › a success within the grace after the limit is answered', ending, {
  limitMs,
  body: async ({ signal }) => {
    await untilAborted(signal);
    await pause(10);
    return 'done';
  },
  answer: 'done',
});
test('layers › a failure within the grace after the limit keeps its code', ending, {
  limitMs,
  body: async ({ signal }) => {
    await untilAborted(signal);
    throw new VbsError('FAILED_PRECONDITION', 'in use');
  },
  code: 'FAILED_PRECONDITION',
});
test('layers › a call that hangs is given up and remembered', ending, {
  limitMs,
  body: forever,
  code: 'DEADLINE_EXCEEDED',
  stillRuns: true,
});
test('layers › a call that ends after the grace is given up and remembered', ending, {
  limitMs,
  body: () => pause(limitMs + graceMs + 100),
  code: 'DEADLINE_EXCEEDED',
  stillRuns: true,
});
test('layers › a call that fails after the grace is given up and remembered', ending, {
  limitMs,
  body: async () => {
    await pause(limitMs + graceMs + 100);
    throw new VbsError('UNAVAILABLE', 'too late');
  },
  code: 'DEADLINE_EXCEEDED',
  stillRuns: true,
});
test('layers › a cancelled call that ignores its signal is in doubt, and says that it was cancelled', ending, {
  body: forever,
  cancelAfterMs: 10,
  code: 'DEADLINE_EXCEEDED',
  stillRuns: true,
  context: { cancelled: true },
});
test('layers › a cancelled call that ends on its signal is in doubt', ending, {
  body: ({ signal }) => pause(10_000, undefined, { signal }),
  cancelAfterMs: 10,
  code: 'DEADLINE_EXCEEDED',
  context: { cancelled: true },
});
for (const [what, cut] of [
  ['cancelled', { cancelAfterMs: 10, context: { cancelled: true } }],
  ['too long', { limitMs, context: { limitMs } }],
] as const) {
  test(`layers › a ${what} call whose next command was not begun is in doubt: others of its commands have run`, ending, {
    body: async ({ signal }) => {
      await untilAborted(signal);
      throw new VbsError('ABORTED', 'The call was cancelled before its command began.');
    },
    code: 'DEADLINE_EXCEEDED',
    ...cut,
  });
}
test('layers › a cancelled call that succeeds all the same is answered', ending, {
  body: async ({ signal }) => {
    await untilAborted(signal);
    return 'done';
  },
  cancelAfterMs: 10,
  answer: 'done',
});
test('layers › an idle limit starts again with each progress', ending, {
  idleLimitMs: 400,
  body: async ({ progress }) => {
    for (let done = 1; done <= 8; done += 1) {
      await pause(80);
      progress(done, 8);
    }
    return 'copied';
  },
  answer: 'copied',
});
test('layers › an idle limit ends a copy that no longer moves', ending, {
  idleLimitMs: limitMs,
  body: async ({ progress, signal }) => {
    await pause(5);
    progress(1, 6);
    await untilAborted(signal);
    signal.throwIfAborted();
  },
  code: 'DEADLINE_EXCEEDED',
});
test('layers › an absolute limit does not care for progress', ending, {
  limitMs,
  body: async ({ progress, signal }) => {
    while (!signal.aborted) {
      progress(1, 6);
      await pause(5);
    }
    signal.throwIfAborted();
  },
  code: 'DEADLINE_EXCEEDED',
});
test('layers › UNAVAILABLE is tried again until it succeeds', ending, {
  body: async (_call, attempt) => {
    if (attempt < 3) throw new VbsError('UNAVAILABLE', 'the daemon starts');
    return attempt;
  },
  answer: 3,
  attempts: 3,
});
test('layers › UNAVAILABLE is tried a few times only', ending, {
  body: async () => {
    throw new VbsError('UNAVAILABLE', 'no daemon');
  },
  code: 'UNAVAILABLE',
  attempts: 3,
});
for (const code of ['DEADLINE_EXCEEDED', 'ABORTED', 'INTERNAL', 'RESOURCE_EXHAUSTED'] as const) {
  test(`layers › ${code} is not tried again`, ending, {
    body: async () => {
      throw new VbsError(code, 'once');
    },
    code,
  });
}

test('layers › the last attempt may succeed within the grace, which a retry must not turn into a failure', async (t) => {
  const { run } = deleteVolumeOf(
    async ({ signal }, attempt) => {
      if (attempt === 1) throw new VbsError('UNAVAILABLE', 'the daemon starts');
      await untilAborted(signal);
      return 'done';
    },
    { limitMs: 1_000 },
  );
  t.is(await run(), 'done');
});

test('layers › a pause between attempts ends with the time limit', async (t) => {
  const { run, attempts } = deleteVolumeOf(
    async () => {
      throw new VbsError('UNAVAILABLE', 'no daemon');
    },
    { limitMs, retry: { retries: 5, firstPauseMs: 60_000 } },
  );
  const startedAt = performance.now();
  const error = await failure(t, run());
  t.is(error.code, 'UNAVAILABLE');
  t.is(attempts(), 1);
  t.true(performance.now() - startedAt < 5_000);
});

test('layers › a call whose signal is aborted already is ABORTED and not begun', async (t) => {
  const { run, attempts } = deleteVolumeOf(async () => 'done');
  const error = await failure(t, run({ signal: AbortSignal.abort(new Error('gone')) }));
  t.is(error.code, 'ABORTED');
  t.is(attempts(), 0);
});

test('layers › safety B2: whenSettled tells when a call that was given up has really ended, through wrapping errors too', async (t) => {
  let end = (): void => undefined;
  const { run } = deleteVolumeOf(
    () =>
      new Promise((_resolve, reject) => {
        end = () => reject(new Error('late'));
      }),
    { limitMs },
  );
  const error = await failure(t, run());
  const wrapped = new Error('step failed', { cause: error });
  const settled = whenSettled(wrapped);
  t.truthy(settled);
  t.is(await Promise.race([settled?.then(() => 'settled'), pause(20, 'running')]), 'running');
  end();
  t.is(await Promise.race([settled?.then(() => 'settled'), pause(2_000, 'running')]), 'settled');
  t.is(whenSettled(new Error('another')), undefined);
  t.is(whenSettled('text'), undefined);
});

test('layers › progress after the answer is not passed on', async (t) => {
  const reported: number[] = [];
  const { run } = deleteVolumeOf(
    async ({ progress }) => {
      progress(1, 2);
      await pause(limitMs + graceMs + 40);
      progress(2, 2);
    },
    { limitMs },
  );
  const error = await failure(t, run({ progress: (done) => reported.push(done) }));
  await whenSettled(error);
  t.deepEqual(reported, [1]);
});

test('layers › the time limit of the configuration goes before that of the facts', async (t) => {
  const { run } = deleteVolumeOf(() => pause(limitMs * 3, 'done'), { limitMs, timeLimits: { deleteVolume: 60_000 } });
  t.is(await run(), 'done');
});

test('layers › a time limit beyond what a timer can wait does not end at once', async (t) => {
  const { run } = deleteVolumeOf(() => pause(20, 'done'), { timeLimits: { deleteVolume: Number.MAX_SAFE_INTEGER } });
  t.is(await run(), 'done');
});

test('layers › no listener stays on the signal of the caller', async (t) => {
  const { signal } = new AbortController();
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners += 1;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners -= 1;
    remove(...args);
  };
  await deleteVolumeOf(async () => 'done').run({ signal });
  await failure(t, deleteVolumeOf(forever, { limitMs }).run({ signal }));
  t.is(listeners, 0);
});

test('layers › UNSUPPORTED names method, capability and instance, and every method of the contract is there', async (t) => {
  for (const kind of ['volumeBackend', 'targetExporter', 'initiator', 'hypervisor', 'cloudResolver'] as const) {
    const contract: object = layered({ instance: 'a/b', kind, target: {}, capabilities: new Set() });
    t.deepEqual(Object.keys(contract).sort(), Object.keys(methodFacts[kind]).sort());
  }
  const { extendVolume } = layered({ instance: 'vs1/fast', kind: 'volumeBackend', target: {}, capabilities: new Set(['thin']) });
  const error = await failure(t, extendVolume(testCall(), { id: 'vol-1', sizeBytes: 1 }));
  t.is(error.code, 'UNSUPPORTED');
  t.deepEqual(error.context, { instance: 'vs1/fast', method: 'extendVolume', capability: 'extend' });
  t.regex(error.message, /vs1\/fast.*extendVolume.*extend/);
});

test('layers › each attempt is logged and told to the observer, without request and answer', async (t) => {
  const { log, lines } = memoryLog();
  const records: CallRecord[] = [];
  const { run } = deleteVolumeOf(
    async (_call, attempt) => {
      if (attempt === 1) throw new VbsError('UNAVAILABLE', 'no daemon');
      return 'the-answer';
    },
    { onCall: (record) => records.push(record) },
  );
  await run({ log });
  t.deepEqual(
    records.map(({ method, code, aborted }) => ({ method, code, aborted })),
    [
      { method: 'deleteVolume', code: 'UNAVAILABLE', aborted: false },
      { method: 'deleteVolume', code: null, aborted: false },
    ],
  );
  t.deepEqual(
    lines.map(({ level }) => level),
    ['warn', 'debug'],
  );
  t.like(lines[0]?.fields, { instance: 'vs1/fast', method: 'deleteVolume', operationId: 'op-00000000000000001', code: 'UNAVAILABLE' });
  t.notRegex(JSON.stringify(lines), /vol-0000|the-answer/);
});

test('layers › an observer that throws changes no answer', async (t) => {
  const { log, lines } = memoryLog();
  const { run } = deleteVolumeOf(async () => 'done', {
    onCall: () => {
      throw new Error('the metrics are full');
    },
  });
  t.is(await run({ log }), 'done');
  t.is(lines.filter(({ level }) => level === 'error').length, 1);
});

// Serial: the other tests of this file, which run at once, have timers of their own.
test.serial('layers › no timer stays behind, however a call ends', async (t) => {
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  await deleteVolumeOf(async () => 'done').run();
  await failure(
    t,
    deleteVolumeOf(async () => {
      throw new VbsError('UNAVAILABLE', 'no daemon');
    }).run(),
  );
  await failure(t, deleteVolumeOf(forever, { limitMs, graceMs: 10 }).run());
  await failure(t, deleteVolumeOf(({ signal }) => untilAborted(signal).then(() => signal.throwIfAborted()), { limitMs }).run());
  t.is(timers(), before);
});
