import { stat } from 'node:fs/promises';
import { type ErrorCode, VbsError } from '../errors.js';
import type { Redactor } from './redact.js';

/** How a command ended, as far as it did. */
export interface CommandEnd {
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  readonly stderr: string;
}

const shownCharacters = 8_192;

function tail(text: string): string {
  return text.length > shownCharacters ? `…${text.slice(-shownCharacters)}` : text;
}

/** An error about a command that was run; everything that it shows is redacted. */
export function commandError(code: ErrorCode, what: string, redactor: Redactor, end: CommandEnd, more: object = {}): VbsError {
  const { exitCode, signal } = end;
  // Redacted before it is cut, so that no half of a secret stays.
  const stderr = tail(redactor.text(end.stderr));
  const lastLine = stderr.trimEnd().split('\n').at(-1) ?? '';
  const message = `${redactor.command[0] ?? ''} ${what}${lastLine === '' ? '' : `: ${lastLine.slice(0, 300)}`}`;
  return new VbsError(code, message, { context: { command: redactor.command, exitCode, signal, stderr, ...more } });
}

/** The error of a command that could not be started. Nothing was run. */
export async function startError(errno: string | undefined, redactor: Redactor): Promise<VbsError> {
  const { command } = redactor;
  const tool = command[0] ?? '';
  const context = { command, tool, errno };
  if (errno === 'ENOENT') {
    const present = tool.includes('/') && (await exists(tool));
    const why = present ? 'is there, but the interpreter in its first line is not' : 'is not installed, or not in PATH';
    const message = `The tool ${tool} ${why}: install it, or replace the command in the configuration.`;
    return new VbsError('FAILED_PRECONDITION', message, { context });
  }
  if (errno === 'EACCES' || errno === 'EPERM') {
    const message = `This process may not run ${tool}: look at its mode and owner, or put "sudo -n" in front of the command in the configuration.`;
    return new VbsError('PERMISSION_DENIED', message, { context });
  }
  if (errno === 'E2BIG') return new VbsError('OUT_OF_RANGE', `The arguments of ${tool} are longer than the system takes.`, { context });
  if (errno === 'EAGAIN' || errno === 'ENOMEM' || errno === 'EMFILE' || errno === 'ENFILE') {
    return new VbsError('UNAVAILABLE', `${tool} could not be started: this machine is out of processes, memory or files (${errno}).`, {
      context,
    });
  }
  return new VbsError('INTERNAL', `${tool} could not be started (${errno ?? 'no error code'}).`, { context });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
