import assert, { AssertionError } from 'node:assert';
import { isDeepStrictEqual } from 'node:util';
import {
  type Argument,
  type Call,
  isSecret,
  type LongRunning,
  Look,
  type LookedAt,
  type Machine,
  type RunOptions,
  type RunResult,
  type Secret,
  VbsError,
} from '@vbs/core';

/** What the tool does in place of an answer: an error, or no end until the call is aborted. */
export type ScriptedFault = Error | 'hangs';

interface Faulty {
  readonly fault?: ScriptedFault;
}

/** One thing that a plugin asks of its machine, and what it is answered; named by its first key. */
export type ScriptedStep =
  | (Faulty & {
      readonly command: readonly [string, ...Argument[]];
      /** The guard that the plugin must name; without it, it must name none. */
      readonly guard?: string;
      readonly input?: string | Secret;
      /** Standard output, or more of the result; exit code 0 and no output unless told. */
      readonly answer?: string | Partial<RunResult>;
    })
  | (Faulty & { readonly readFile: string; readonly answer?: string })
  | (Faulty & { readonly writeFile: string; readonly text: string | Secret; readonly guard: string })
  | (Faulty & { readonly listDirectory: string; readonly answer?: readonly string[] })
  /** What there is at which path; nothing unless told. */
  | (Faulty & { readonly look: readonly string[]; readonly answer?: Readonly<Record<string, LookedAt>> })
  | (Faulty & { readonly waitForPath: string; readonly until: 'present' | 'absent' })
  | (Faulty & { readonly start: string; readonly command: readonly [string, ...Argument[]]; readonly guard: string; readonly pid?: number })
  | (Faulty & { readonly stop: string; readonly guard: string })
  | (Faulty & { readonly find: string; readonly answer?: readonly LongRunning[] });

/** A Machine that plays a script, and knows nothing else. */
export interface ScriptedMachine extends Machine {
  /** Throws what the plugin asked beyond the script, also when the plugin caught it; then, if a step was not asked for. */
  verify(): void;
}

type Asked = Readonly<Record<string, unknown>>;

/** Two texts are the same only if both are secrets, or neither: a secret that a plugin hands over as a plain text would be logged. */
function comparable(value: unknown): unknown {
  if (isSecret(value)) return { secret: value.reveal() };
  if (Array.isArray(value)) return value.map(comparable);
  return value;
}

function shown(asked: object): string {
  // A Secret's own toJSON says `[redacted]`.
  return JSON.stringify(asked);
}

function withoutReply(step: ScriptedStep): Asked {
  const { fault, answer, pid, ...question }: Asked = { ...step };
  return question;
}

/**
 * A machine for a plugin's own tests: asked for exactly these things, in this order, it answers so. A thing that the script does not
 * have next is an AssertionError. `settle` ends at once, `stateDirectory` is
 * `/scripted-state` and `bootId` is `scripted-boot`; none of them is in the script.
 */
export function scriptedMachine(script: readonly ScriptedStep[], name = 'scripted'): ScriptedMachine {
  const rest = [...script];
  const faults: AssertionError[] = [];

  function fail(message: string): never {
    const fault = new AssertionError({ message });
    faults.push(fault);
    throw fault;
  }

  function same(step: ScriptedStep, asked: Asked): boolean {
    const [wanted, found] = [withoutReply(step), asked].map((question) =>
      Object.fromEntries(
        Object.entries(question)
          .filter(([, value]) => value !== undefined)
          .map(([key, value]) => [key, comparable(value)]),
      ),
    );
    return isDeepStrictEqual(wanted, found);
  }

  /** The next step, if it is what was asked for. */
  async function play(call: Call, asked: Asked): Promise<ScriptedStep & Asked> {
    const step = rest.shift();
    if (step === undefined) fail(`the script has ended, and ${shown(asked)} was asked for`);
    if (!same(step, asked)) fail(`${shown(asked)} was asked for, and the script has ${shown(withoutReply(step))} next`);
    if (step.fault instanceof Error) throw step.fault;
    if (step.fault === 'hangs') await aborted(call);
    return step as ScriptedStep & Asked;
  }

  return {
    name,
    run: async (call, command, options = {}) => {
      const step = await play(call, { command, guard: options.guard, input: options.input });
      return result(command, step.answer as string | Partial<RunResult> | undefined, options);
    },
    start: async (call, named, command, { guard }) => {
      const { pid } = await play(call, { start: named, command, guard });
      return { name: named, pid: typeof pid === 'number' ? pid : 1 };
    },
    find: async (call, namePrefix) => ((await play(call, { find: namePrefix })).answer ?? []) as readonly LongRunning[],
    stop: async (call, named, { guard }) => void (await play(call, { stop: named, guard })),
    readFile: async (call, path) => ((await play(call, { readFile: path })).answer ?? '') as string,
    writeFile: async (call, path, text, { guard }) => void (await play(call, { writeFile: path, text, guard })),
    listDirectory: async (call, path) => ((await play(call, { listDirectory: path })).answer ?? []) as readonly string[],
    look: async (call, patterns) =>
      new Look(Object.entries(((await play(call, { look: patterns })).answer ?? {}) as Readonly<Record<string, LookedAt>>)),
    waitForPath: async (call, path, until) => void (await play(call, { waitForPath: path, until })),
    settle: async () => undefined,
    stateDirectory: async () => '/scripted-state',
    bootId: async () => 'scripted-boot',
    verify: () => {
      const [first] = faults;
      if (first !== undefined) throw first;
      const unused = rest.map((step) => shown(withoutReply(step)));
      assert.equal(unused.length, 0, `the plugin did not ask for ${unused.join(', ')}`);
    },
  };
}

function result(command: readonly Argument[], answer: string | Partial<RunResult> = '', options: RunOptions): RunResult {
  const whole = { exitCode: 0, stdout: '', stderr: '', ...(typeof answer === 'string' ? { stdout: answer } : answer) };
  for (const line of whole.stdout.split('\n').slice(0, whole.stdout.endsWith('\n') ? -1 : undefined)) options.onLine?.(line);
  if ((options.okExitCodes ?? [0]).includes(whole.exitCode)) return whole;
  // As a real machine fails: a plugin maps it.
  throw new VbsError('INTERNAL', `${String(command[0])} ended with exit code ${whole.exitCode}: ${whole.stderr.trim()}`, {
    context: { command: command.map(String), exitCode: whole.exitCode, signal: null, stderr: whole.stderr },
  });
}

async function aborted({ signal }: Call): Promise<never> {
  if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  throw new VbsError('DEADLINE_EXCEEDED', 'the scripted tool did not end before the call was aborted', { cause: signal.reason });
}
