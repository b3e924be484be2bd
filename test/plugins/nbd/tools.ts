import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';

const execute = promisify(execFile);
const limits = { timeout: 60_000, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 * 1024 } as const;

/** Runs a foreign tool to its end. @throws it failed; `stderr` tells why. */
export function run(tool: string, given: readonly string[]): Promise<{ readonly stdout: string; readonly stderr: string }> {
  return execute(tool, given, { ...limits, env: { ...process.env, LC_ALL: 'C' } });
}

function installed(tool: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, tool)));
}

type Body = (t: ExecutionContext) => Promise<void>;

/** Declares tests that need foreign tools; they are skipped, with the reason in the title, where one is missing. */
export function withTools(...tools: readonly string[]): (title: string, body: Body) => void {
  const missing = tools.filter((tool) => !installed(tool));
  if (missing.length === 0) return (title, body) => test(title, body);
  return (title, body) => test.skip(`${title} (skipped: ${missing.join(', ')} is not installed)`, body);
}
