import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

/** A child that runs, and what it has said. */
export interface Child {
  readonly process: ChildProcess;
  /** The next line of JSON that it prints. @throws it ended, or said nothing within a minute. */
  said(): Promise<Record<string, unknown>>;
  /** Ends when it has ended by itself, or by a signal. @throws it did not within a minute. */
  ended(): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null; readonly errors: string }>;
}

const limitMs = 60_000;

/** Starts a compiled program; killed with the test if it has not ended. */
export function startChild(t: ExecutionContext, program: URL, ...given: readonly string[]): Child {
  const child = spawn(process.execPath, [fileURLToPath(program), ...given], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  const waiting: (() => void)[] = [];
  let rest = '';
  let errors = '';
  let end: { readonly code: number | null; readonly signal: NodeJS.Signals | null } | undefined;
  const wake = (): void => {
    for (const look of waiting.splice(0)) look();
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
    wake();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  child.on('close', (code, signal) => {
    end = { code, signal };
    wake();
  });

  async function waitFor(what: string, isSo: () => boolean): Promise<void> {
    const over = Date.now() + limitMs;
    while (!isSo()) {
      if (Date.now() > over) throw new Error(`the child did not ${what} within ${limitMs} ms; it printed ${errors}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1_000);
        waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }
  return {
    process: child,
    async said() {
      await waitFor('say anything', () => lines.length > 0 || end !== undefined);
      const line = lines.shift();
      if (line === undefined) throw new Error(`the child ended (${JSON.stringify(end)}) and said nothing; it printed ${errors}`);
      return JSON.parse(line) as Record<string, unknown>;
    },
    async ended() {
      await waitFor('end', () => end !== undefined);
      return { code: end?.code ?? null, signal: end?.signal ?? null, errors };
    },
  };
}
