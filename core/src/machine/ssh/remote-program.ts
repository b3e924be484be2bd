import { randomBytes } from 'node:crypto';
import { isSecret, type Secret } from '../../contract/secret.js';
import type { Argument } from '../machine.js';
import { remoteGuard } from './remote-guard.js';
import { remoteLibrary } from './remote-library.js';
import { remoteLooks } from './remote-looks.js';
import { remoteProcesses } from './remote-processes.js';
import { remoteLost, remoteRun } from './remote-run.js';
import { remoteSession } from './remote-session.js';
import { quoted } from './shell.js';

/** The shell waits in steps of so many milliseconds. */
const stepMs = 50;

/** The longest that a command may go on by itself once the connection is gone: a day, in seconds. */
const longestLimit = 86_400;

/** A shell reads a line byte by byte: what is longer is read by a tool. A line of this length is in the pipe whole, or not at all. */
const longestLine = 4_000;

/** What a session's shell is told first, and how it is known again. */
export interface SessionProgram {
  /** In the command line of the session's shell, and of what it forks without starting a tool. */
  readonly mark: string;
  /** What OpenSSH is given as the remote command: short, without secrets, and one word to every login shell. */
  readonly bootstrap: string;
  /** Comes on standard input when the shell has said hello, where its length ends it; requests only when it has said so again: a tool may read ahead. */
  readonly text: string;
}

/** One request to a session. */
export interface RemoteProgram {
  /** Stands before everything that the session itself says about it. */
  readonly mark: string;
  /** A look: the session waits for it, and hears nothing meanwhile. */
  readonly looks: boolean;
  /** It may change something, so that it must not be asked twice. */
  readonly guarded: boolean;
  /** Comes on standard input of the session. */
  readonly text: string;
}

/** What a session knows of its machine. */
export interface SessionFacts {
  readonly stateDirectory: string;
  readonly bootId: string;
  readonly uid: string;
}

export interface ProgramOptions {
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

const allOfIt = [remoteLibrary, remoteGuard, remoteRun, remoteLooks, remoteProcesses, remoteLost, remoteSession].join('');

const newMark = (): string => `VBS${randomBytes(16).toString('hex')}`;

const assignments = (variables: Readonly<Record<string, string>>): string =>
  Object.entries(variables)
    .map(([name, value]) => `${name}=${quoted(value)}`)
    .join(' ');

/** The program of a session's shell. In braces: a program that was cut off is none, and nothing of it is done. */
export function sessionProgram({ stateDirectory, bootId, uid }: SessionFacts): SessionProgram {
  const mark = newMark();
  const variables = { M: mark, D: stateDirectory, BOOT: bootId, root: uid === '0' ? '1' : '' };
  const text = `{\n${assignments(variables)}\n${allOfIt}\nv_session\n}`;
  return { mark, text, bootstrap: bootstrap(mark, Buffer.byteLength(text)) };
}

/** A function of the remote library with its words, under the given circumstances; `v_look` stands for a look, whose function is the first word. */
export function remoteProgram(verb: `v_${string}`, words: readonly Argument[], options: ProgramOptions): RemoteProgram {
  const mark = newMark();
  const { guard, waitMs, limitMs } = options;
  const looks = verb === 'v_look';
  // Only for the time when nobody asks any more, or can: while the connection is there, this side ends what is over its limit.
  const aloneMs = limitMs + (guard === undefined ? 0 : waitMs) + 1_000;
  const limit = Math.ceil(Math.min(aloneMs, longestLimit * 1_000) / 1_000);
  const call = [...(looks ? [] : [verb]), ...words.map((word) => quoted(reveal(word)))].join(' ');
  const program = looks ? call : `${assignments(variablesOf(options))}; ${call}`;
  return { mark, looks, guarded: guard !== undefined, text: framed(looks ? 's' : 'a', limit, mark, program) };
}

function variablesOf({ guard, epoch, waitMs, graceMs, input }: ProgramOptions): Readonly<Record<string, string>> {
  const steps = (ms: number): string => String(Math.ceil(Math.min(ms, longestLimit * 1_000) / stepMs));
  const guarded = guard === undefined ? {} : { R: guard, EPOCH: String(epoch), K: randomBytes(16).toString('hex'), WAIT: steps(waitMs) };
  return { ...guarded, GRACE: steps(graceMs), ...inputVariables(input) };
}

/** A line, or one with the length of what follows it. */
function framed(kind: 'a' | 's', limit: number, mark: string, program: string): string {
  // A line break can only be within single quotes.
  const line = program.length > longestLine ? program : program.replaceAll('\n', `'"$nl"'`);
  if (Buffer.byteLength(line) <= longestLine) return `${kind} ${limit} ${mark} ${line}\n`;
  const text = `{\n${program}\n}`;
  return `${kind.toUpperCase()} ${limit} ${mark} ${Buffer.byteLength(text)}\n${text}`;
}

/** A text of a shell holds no NUL: printf makes it again. */
function inputVariables(input: string | Secret | undefined): Readonly<Record<string, string>> {
  if (input === undefined) return {};
  const text = reveal(input);
  if (!text.includes('\0')) return { HASINPUT: '1', FORMAT: '%s', INPUT: text };
  return { HASINPUT: '1', FORMAT: '%b', INPUT: text.replaceAll('\\', '\\\\').replaceAll('\0', '\\0000') };
}

/** Without quotes within quotes, backslashes and exclamation marks: csh and fish, as a login shell, read it as sh does. */
function bootstrap(mark: string, bytes: number): string {
  const told = `LC_ALL=C; export LC_ALL; echo ${mark} hello; echo ${mark} hello >&2`;
  return `exec /bin/sh -c '${told}; exec 7<&0 </dev/null; eval "$(head -c ${bytes} <&7)"'`;
}
