import { type ErrorCode, VbsError } from '../../errors.js';
import { commandError } from '../command-errors.js';
import { fileError } from '../file-errors.js';
import type { Redactor } from '../redact.js';
import type { Executed } from './execute.js';

/** What an error of another machine is about. */
export interface RemoteAct {
  readonly host: string;
  readonly redactor: Redactor;
  readonly resource?: string | undefined;
  readonly epoch: number;
  readonly limitMs: number;
  readonly stateDirectory: string;
}

const errnos: readonly (readonly [RegExp, string])[] = [
  [/No such file or directory|Directory nonexistent|nonexistent directory/i, 'ENOENT'],
  [/Not a directory/i, 'ENOTDIR'],
  [/Is a directory|cannot overwrite directory/i, 'EISDIR'],
  [/Permission denied/i, 'EACCES'],
  [/Operation not permitted/i, 'EPERM'],
  [/Read-only file system/i, 'EROFS'],
  [/No space left on device/i, 'ENOSPC'],
  [/quota exceeded/i, 'EDQUOT'],
];

/** What a tool of the other machine wrote about a file, as the error that the same call would give here. */
export function remoteFileError(said: string, host: string, path: string, doing: string): VbsError {
  const code = errnos.find(([pattern]) => pattern.test(said))?.[1];
  const cause = Object.assign(new Error(said.trim() || 'no reason was told'), code === undefined ? {} : { code });
  const error = fileError(cause, path, doing);
  return new VbsError(error.code, `${error.message.slice(0, -1)} (on ${host}).`, { context: { ...error.context, host }, cause });
}

/** The error of a program that ended by itself with something else than its command's exit. */
export function saidError({ end: { words } }: Executed, act: RemoteAct): VbsError {
  const [kind = '', ...rest] = words;
  const { host, redactor, resource, epoch } = act;
  const tool = redactor.command[0] ?? '';
  const pids = rest.map(Number).filter(Number.isSafeInteger);
  const about = resource === undefined ? {} : { resource };
  const of = (code: ErrorCode, message: string, context: object = {}): VbsError =>
    new VbsError(code, message, { ...about, context: { host, ...context } });
  const startContext = { command: redactor.command, tool };
  switch (kind) {
    case 'given-up':
      return of('ABORTED', 'The call was cancelled, or its time was over, before its command began.');
    case 'busy':
      return of('ABORTED', `The guard of ${resource} was not free in time: another command for it still runs. Nothing was run.`, { pids });
    case 'lower':
      return of('ABORTED', `${resource} was taken over by another process: its guard has seen epoch ${rest[0]}, not ${epoch}.`, {
        epoch,
        seenEpoch: Number(rest[0]),
      });
    case 'damaged':
      return of(
        'FAILED_PRECONDITION',
        `The guard record of ${resource} in ${act.stateDirectory}/guards of ${host} is damaged, so that it cannot be told whether a newer process has ` +
          'taken it over. Recovery repairs it by itself; without it, make sure that no command for the resource runs and remove the file.',
      );
    case 'lock':
      return of('FAILED_PRECONDITION', `The tool flock is not installed on ${host}: install util-linux.`, { tool: 'flock' });
    case 'state':
      return remoteFileError(rest.join(' '), host, act.stateDirectory, 'write to');
    case 'missing':
      return of(
        'FAILED_PRECONDITION',
        `The tool ${tool} is not installed on ${host}, or not in PATH: install it, or replace the command in the configuration.`,
        startContext,
      );
    case 'interpreter':
      return of(
        'FAILED_PRECONDITION',
        `The tool ${tool} is there on ${host}, but the interpreter in its first line is not: install it.`,
        startContext,
      );
    case 'denied':
      return of(
        'PERMISSION_DENIED',
        `This process may not run ${tool} on ${host}: look at its mode and owner, or put "sudo -n" in front of the command in the configuration.`,
        startContext,
      );
    case 'hangs':
      return commandError(
        'DEADLINE_EXCEEDED',
        'hangs, or belongs to another user, and could not be ended',
        redactor,
        { stderr: '' },
        {
          host,
          pids,
        },
      );
    default:
      return of('INTERNAL', `The shell of ${host} said something that is not understood: ${words.join(' ').slice(0, 200)}`);
  }
}

/** A command that was ended before its own end. */
export function stoppedError({ stop, errors }: Executed, act: RemoteAct, more: object): VbsError {
  const { redactor, limitMs } = act;
  const end = { stderr: errors.toString('utf8') };
  if (stop?.why === 'limit')
    return commandError('DEADLINE_EXCEEDED', `did not end within ${limitMs} ms and was ended`, redactor, end, { limitMs });
  if (stop?.why === 'cancelled') return commandError('DEADLINE_EXCEEDED', 'was ended because its call was cancelled', redactor, end);
  if (stop?.why === 'output') return commandError('INTERNAL', 'wrote more output than it may, and was ended', redactor, end, more);
  return new VbsError('INTERNAL', `${redactor.command[0]} was ended because its output could not be used.`, {
    cause: stop?.cause,
    context: { command: redactor.command },
  });
}
