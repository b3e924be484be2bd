import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { ExecutionContext } from 'ava';

/** What a command printed, on both of its outputs, and its exit. */
export interface Ran {
  readonly output: string;
  readonly exit: number;
}

export interface ShellSession {
  /** Runs one command after the last one, in the same shell. @throws Error: it did not end within its limit, or the shell ended. */
  run(command: string): Promise<Ran>;
}

const limitMs = 60_000;

/** A shell of its own, with nothing of the environment but what is told; ended with the test, and whatever it left in the background. */
export function openShell(t: ExecutionContext, directory: string, environment: Readonly<Record<string, string>>): ShellSession {
  const shell = spawn('bash', ['--noprofile', '--norc', '-s'], {
    cwd: directory,
    env: environment,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  let printed = '';
  let over: Error | undefined;
  let look: (() => void) | undefined;
  const end = (error: Error): void => {
    over ??= error;
    look?.();
  };
  const take = (text: string): void => {
    printed += text;
    look?.();
  };
  shell.stdout.setEncoding('utf8').on('data', take);
  shell.stderr.setEncoding('utf8').on('data', take);
  shell.on('error', end);
  shell.on('exit', (code, signal) => end(new Error(`the shell ended (${signal ?? `exit ${code}`}); it printed ${printed}`)));
  shell.stdin.on('error', end);
  t.teardown(() => {
    if (shell.pid === undefined) return;
    try {
      process.kill(-shell.pid, 'SIGKILL');
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  });

  return {
    async run(command) {
      const mark = `--${randomUUID()}--`;
      const ended = new RegExp(`^([^]*)\\n${mark} (\\d+)\\n$`);
      printed = '';
      // eval: what is no shell must fail here, and leave the session.
      shell.stdin.write(`eval ${quoted(command)} </dev/null 2>&1\nprintf '\\n%s %s\\n' ${mark} "$?"\n`);
      const match = await new Promise<RegExpExecArray>((resolve, reject) => {
        const timer = setTimeout(() => end(new Error(`it did not end within ${limitMs} ms; it printed ${printed}`)), limitMs);
        look = () => {
          const found = ended.exec(printed);
          if (found === null && over === undefined) return;
          clearTimeout(timer);
          look = undefined;
          if (found !== null) resolve(found);
          else reject(over);
        };
        look();
      });
      return { output: match[1] ?? '', exit: Number(match[2]) };
    },
  };
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
