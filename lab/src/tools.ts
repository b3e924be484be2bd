import { VbsError } from '@vbs/core';
import { execa } from 'execa';

export interface ToolOptions {
  readonly cwd?: string;
  /** In milliseconds; 60,000 unless told. */
  readonly limitMs?: number;
  readonly input?: Uint8Array;
}

const usualLimitMs = 60_000;

/**
 * Runs a program of this machine and answers its standard output.
 * @throws FAILED_PRECONDITION: it is not installed. DEADLINE_EXCEEDED: ended at its limit. INTERNAL: it failed, with what it said.
 */
export async function runTool(tool: string, words: readonly string[], options: ToolOptions = {}): Promise<Buffer> {
  const limitMs = options.limitMs ?? usualLimitMs;
  const result = await execa(tool, [...words], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.input === undefined ? { stdin: 'ignore' } : { input: options.input }),
    env: { LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    encoding: 'buffer',
    maxBuffer: 512 * 1024 * 1024,
    timeout: limitMs,
    forceKillAfterDelay: 2_000,
    reject: false,
  });
  if (!result.failed) return Buffer.from(result.stdout);
  const said = Buffer.from(result.stderr).toString('utf8').trim().slice(-2_000);
  const shown = [tool, ...words].join(' ').slice(0, 300);
  if (result.timedOut) throw new VbsError('DEADLINE_EXCEEDED', `\`${shown}\` did not end within ${limitMs / 1000} s: ${said}`);
  if ('code' in result && result.code === 'ENOENT')
    throw new VbsError('FAILED_PRECONDITION', `The tool ${tool} is not installed.`, { context: { tool } });
  throw new VbsError('INTERNAL', `\`${shown}\` failed (${result.exitCode ?? result.signal ?? 'not started'}): ${said}`, {
    context: { tool, exitCode: result.exitCode, stderr: said },
  });
}

/** What a program of this machine says, as text. @throws as `runTool`. */
export async function textOf(tool: string, words: readonly string[], options?: ToolOptions): Promise<string> {
  return (await runTool(tool, words, options)).toString('utf8');
}
