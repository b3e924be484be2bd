import { createLocalMachine, isVbsError, type Logger } from '@vbs/core';

export const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

export interface ToolOptions {
  readonly signal: AbortSignal;
  /** In milliseconds. */
  readonly limitMs: number;
}

/** Commands that change nothing of a store need no guard, and so no state directory. */
const machine = createLocalMachine({ name: 'bench', stateDirectory: '/nonexistent', log: silent });

/** Runs a tool to its end and answers its standard output. @throws VbsError: it is not there, failed, or took too long. */
export async function runTool([tool, ...args]: readonly [string, ...string[]], { signal, limitMs }: ToolOptions): Promise<string> {
  const call = { signal, operationId: '', epoch: 0, log: silent, progress: () => undefined };
  const { stdout } = await machine.run(call, [tool, ...args], { timeLimitMs: limitMs });
  return stdout;
}

/** The first line of what a tool says of its version; null where it is not installed. */
export async function versionOf(command: readonly [string, ...string[]], signal: AbortSignal): Promise<string | null> {
  try {
    const [line = ''] = (await runTool(command, { signal, limitMs: 10_000 })).split('\n');
    return line.trim();
  } catch (error) {
    if (isVbsError(error) && error.code === 'FAILED_PRECONDITION') return null;
    throw error;
  }
}

/** Why a tool cannot be used here, as the reason of a skipped row; null when it can. */
export async function whyMissing(tools: readonly (readonly [string, ...string[]])[], signal: AbortSignal): Promise<string | null> {
  const missing: string[] = [];
  for (const command of tools) if ((await versionOf(command, signal)) === null) missing.push(command[0]);
  return missing.length === 0 ? null : `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not installed`;
}
