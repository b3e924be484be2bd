import { randomBytes } from 'node:crypto';
import { isSecret, type Secret } from '../../contract/secret.js';
import type { Argument } from '../machine.js';
import { remoteGuard, remoteWatch } from './remote-guard.js';
import { remoteLibrary } from './remote-library.js';
import { remoteLooks } from './remote-looks.js';
import { remoteProcesses } from './remote-processes.js';
import { remoteLost, remoteRun } from './remote-run.js';
import { quoted } from './shell.js';

/** The shell waits in steps of so many milliseconds. */
const stepMs = 50;

/** The longest that a command may go on by itself once the connection is gone: a day, in seconds. */
const longestLimit = 86_400;

/** What is told to the other machine's shell, and how it is known again. */
export interface RemoteProgram {
  /** Stands before everything that the session itself says, and in the command line of the session's shell. */
  readonly mark: string;
  /** What OpenSSH is given as the remote command: short, without secrets, and one word to every login shell. */
  readonly bootstrap: string;
  /** Comes on standard input, where its length ends it. */
  readonly text: string;
}

export interface ProgramOptions {
  readonly stateDirectory: string;
  readonly bootId: string;
  /** The file name of the guard to act under. */
  readonly guard?: string;
  readonly epoch: number;
  /** How long the guard may be waited for, in milliseconds. */
  readonly waitMs: number;
  readonly limitMs: number;
  /** Between SIGTERM and SIGKILL, in milliseconds. */
  readonly graceMs: number;
  readonly input?: string | Secret | undefined;
}

const reveal = (text: Argument): string => (isSecret(text) ? text.reveal() : text);

const allOfIt = [remoteLibrary, remoteWatch, remoteGuard, remoteRun, remoteLooks, remoteProcesses, remoteLost].join('');

/** A function of the remote library with its words, under the given circumstances. */
export function remoteProgram(verb: `v_${string}`, words: readonly Argument[], options: ProgramOptions): RemoteProgram {
  const mark = `VBS${randomBytes(16).toString('hex')}`;
  const { guard, input, waitMs, limitMs, graceMs } = options;
  // Only for the time when nobody asks any more: while the connection is there, this side ends what is over its limit.
  const aloneMs = limitMs + (guard === undefined ? 0 : waitMs) + 2_000;
  const variables = {
    M: mark,
    D: options.stateDirectory,
    BOOT: options.bootId,
    R: guard ?? '',
    EPOCH: String(options.epoch),
    K: randomBytes(16).toString('hex'),
    REPAIR: '',
    WAIT: String(Math.ceil(Math.min(waitMs, longestLimit * 1_000) / stepMs)),
    GRACE: String(Math.ceil(graceMs / stepMs)),
    LIMIT: String(Math.ceil(Math.min(aloneMs, longestLimit * 1_000) / 1_000)),
    ...inputVariables(input),
  };
  const settings = Object.entries(variables).map(([name, value]) => `${name}=${quoted(value)}`);
  const call = [verb, ...words.map((word) => quoted(reveal(word)))].join(' ');
  // In braces: a program that was cut off is none, and nothing of it is done.
  const text = `{\n${settings.join('\n')}\n${allOfIt}\n${call}\n}`;
  return { mark, text, bootstrap: bootstrap(mark, Buffer.byteLength(text)) };
}

/** A text of a shell holds no NUL: printf makes it again. */
function inputVariables(input: string | Secret | undefined): Readonly<Record<string, string>> {
  if (input === undefined) return { HASINPUT: '' };
  const text = reveal(input);
  if (!text.includes('\0')) return { HASINPUT: '1', FORMAT: '%s', INPUT: text };
  return { HASINPUT: '1', FORMAT: '%b', INPUT: text.replaceAll('\\', '\\\\').replaceAll('\0', '\\0000') };
}

/** Without quotes within quotes, backslashes and exclamation marks: csh and fish, as a login shell, read it as sh does. */
function bootstrap(mark: string, bytes: number): string {
  const told = `LC_ALL=C; export LC_ALL; echo ${mark} hello; echo ${mark} hello >&2`;
  return `exec /bin/sh -c '${told}; exec 7<&0 </dev/null; eval "$(head -c ${bytes} <&7)"'`;
}
