import { setTimeout as pause } from 'node:timers/promises';
import type { Connection } from './connection.js';
import { MarkedStream } from './marked-stream.js';
import type { RemoteProgram } from './remote-program.js';

/** How a session ended: with what it said itself, refused before anything was told to it, or cut off. */
export type SessionEnd =
  | { readonly how: 'said'; readonly words: readonly string[] }
  | { readonly how: 'refused'; readonly said: string }
  | { readonly how: 'cut-off'; readonly said: string };

export interface SessionEvents {
  /** What comes on standard output; `part` counts the marks before it. */
  readonly onOutput: (bytes: Buffer, part: number) => void;
  readonly onError: (bytes: Buffer) => void;
  /** The command is about to begin; from then on its time runs. */
  readonly onBegun: () => void;
}

/** A program that runs on another machine. */
export interface Session {
  readonly end: Promise<SessionEnd>;
  /** The session's process here is gone, and with it its place on the connection. */
  readonly gone: Promise<void>;
  /** `c` ends the command, `r` says that it is ready. */
  control(letter: 'c' | 'r'): void;
  /** Cuts the session off. */
  cut(): void;
}

/** What ssh says when the other side takes no further session (sshd's MaxSessions), or the kept connection is gone. */
const refusal = /Session open refused|session request failed|open failed|kex_exchange_identification|Connection closed by UNKNOWN/i;

/** The kept connection ended after it had been asked for a session, which may have begun. */
const unclear = /from master failed|master terminated/i;

/** How long a session that has said its end may take to go by itself: a daemon that it left behind may hold its streams for ever. */
const leaveMs = 250;

export async function startSession(connection: Connection, program: RemoteProgram, events: SessionEvents): Promise<Session> {
  const { client } = await connection.session(program.bootstrap);
  let words: readonly string[] | undefined;
  let greeted = false;
  let outputEnded = false;
  let part = 0;
  let said = '';
  let tellEnd: (end: SessionEnd) => void = () => undefined;
  const end = new Promise<SessionEnd>((resolve) => {
    tellEnd = resolve;
  });
  const gone = new Promise<void>((resolve) => client.once('close', () => resolve()));
  const endIfSaid = (): void => {
    if (words !== undefined && outputEnded) tellEnd({ how: 'said', words });
  };
  const output = new MarkedStream(program.mark, {
    onData: (bytes) => {
      if (part > 0 && !outputEnded) events.onOutput(bytes, part);
    },
    onMark: ([word]) => {
      part++;
      if (word === 'end') outputEnded = true;
      endIfSaid();
    },
  });
  const errors = new MarkedStream(program.mark, {
    onData: (bytes) => {
      if (!greeted) said = (said + bytes.toString('utf8')).slice(-4_096);
      else if (words === undefined) events.onError(bytes);
    },
    onMark: ([word, ...rest]) => {
      greeted = true;
      if (word === 'begun') events.onBegun();
      if (word === 'end') words = rest;
      endIfSaid();
    },
  });
  client.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  client.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  // Whether the other side still listens is told by what it says, not by what is written to it.
  client.stdin.on('error', () => undefined);
  client.once('close', (exitCode) => {
    const how = !greeted && exitCode === 255 && refusal.test(said) && !unclear.test(said) ? 'refused' : 'cut-off';
    tellEnd({ how, said });
  });
  client.stdin.write(program.text);
  void end.then(async ({ how }) => {
    if (how !== 'said') return;
    client.stdin.end();
    await Promise.race([gone, pause(leaveMs, undefined, { ref: false })]);
    client.kill();
  });
  return {
    end,
    gone,
    control: (letter) => client.stdin.write(letter),
    cut: () => client.kill(),
  };
}
