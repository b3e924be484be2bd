import { setTimeout as pause } from 'node:timers/promises';
import type { Connection, RemoteFacts, SessionClient } from './connection.js';
import { MarkedStream } from './marked-stream.js';
import type { RemoteProgram, SessionProgram } from './remote-program.js';

/** How a request ended: with what was said of it, not heard by a session that was gone already, or cut off. */
export type RequestEnd =
  | { readonly how: 'said'; readonly words: readonly string[] }
  | { readonly how: 'unheard'; readonly said: string }
  | { readonly how: 'cut-off'; readonly said: string };

export interface RequestEvents {
  /** What comes on standard output; `part` counts the marks before it. */
  readonly onOutput: (bytes: Buffer, part: number) => void;
  readonly onError: (bytes: Buffer) => void;
  /** The command is about to begin; from then on its time runs. */
  readonly onBegun: () => void;
}

/** A program that runs on another machine. */
export interface Asked {
  readonly end: Promise<RequestEnd>;
  /** `c` ends the command, `r` says that it is ready. */
  control(letter: 'c' | 'r'): void;
  /** Cuts the session off. */
  cut(): void;
}

/** What ssh says when the other side takes no further session (sshd's MaxSessions), or the kept connection is gone. */
const refusal = /Session open refused|session request failed|open failed|kex_exchange_identification|Connection closed by UNKNOWN/i;

/** No session could be had; nothing was asked. */
export class NoSession extends Error {
  constructor(readonly said: string) {
    super('no SSH session could be had');
  }

  get isRefusal(): boolean {
    return refusal.test(this.said);
  }
}

/** How long a login shell may take until it says something. */
const openLimitMs = 30_000;

/** How long a session that is no more needed may take to go by itself: a daemon that a command left behind may hold its streams for ever. */
const leaveMs = 250;

/** The shell of a command may be killed by itself, which nobody tells: so often it is asked whether it runs. */
const askAgainMs = 5_000;

interface Listener {
  readonly output: MarkedStream;
  readonly errors: MarkedStream;
  /** Its process here is gone; `whole`: the session ended by itself there, and all that it said has come. */
  readonly cutOff: (whole: boolean) => void;
}

/** A kept shell on another machine, which does one request after the other. */
export class Session {
  readonly mark: string;
  readonly facts: RemoteFacts;
  /** Its process here is gone, and with it its place on the connection. */
  readonly gone: Promise<void>;
  readonly #client: SessionClient['client'];
  #listener: Listener | undefined;
  #usable = true;

  private constructor({ client, facts }: SessionClient, mark: string) {
    this.mark = mark;
    this.facts = facts;
    this.#client = client;
    this.gone = new Promise((resolve) => client.once('close', () => resolve()));
    client.stdout.on('data', (chunk: Buffer) => this.#listener?.output.push(chunk));
    client.stderr.on('data', (chunk: Buffer) => this.#listener?.errors.push(chunk));
    // Whether the other side still listens is told by what it says, not by what is written to it.
    client.stdin.on('error', () => undefined);
    client.once('close', (exitCode: number | null) => {
      this.#usable = false;
      // ssh's own failures are 255, a signal there too; sshd closes a session when its output is at its end.
      this.#listener?.cutOff(exitCode !== null && exitCode !== 255);
    });
  }

  /** @throws NoSession. Also the errors of {@link Connection.open}. */
  static async open(connection: Connection, programOf: (facts: RemoteFacts) => SessionProgram): Promise<Session> {
    let program: SessionProgram | undefined;
    const opened = await connection.session((facts) => {
      program = programOf(facts);
      return program.bootstrap;
    });
    const { mark, text } = program ?? programOf(opened.facts);
    const session = new Session(opened, mark);
    await session.#greeting();
    opened.client.stdin.write(text);
    await session.#greeting();
    session.#letGo();
    return session;
  }

  /** Whether it can be asked something. */
  get isUsable(): boolean {
    return this.#usable && this.#listener === undefined;
  }

  ask(program: RemoteProgram, events: RequestEvents): Asked {
    this.#hold();
    let words: readonly string[] | undefined;
    let kept = false;
    let outputEnded = false;
    let greeted = false;
    let part = 0;
    let said = '';
    let early: 'c' | 'r' | undefined;
    const write = (letter: string): void => void this.#client.stdin.write(`${letter}\n`);
    // While it looks it reads no letters, which the next request would find.
    const asking = program.looks ? undefined : setInterval(() => greeted && write('p'), askAgainMs).unref();
    let tellEnd: (end: RequestEnd) => void = () => undefined;
    const end = new Promise<RequestEnd>((resolve) => {
      tellEnd = (how) => {
        clearInterval(asking);
        this.#listener = undefined;
        resolve(how);
      };
    });
    const endIfSaid = (): void => {
      if (words === undefined || !outputEnded) return;
      tellEnd({ how: 'said', words });
      if (kept) this.close();
      else this.#letGo();
    };
    const cutOff = (whole: boolean): void => {
      tellEnd({ how: greeted || (program.guarded && !whole) ? 'cut-off' : 'unheard', said });
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
        if (word === 'hello') {
          greeted = true;
          if (program.looks) events.onBegun();
          if (early !== undefined) write(early);
        }
        if (word === 'begun') events.onBegun();
        if (word === 'kept') kept = true;
        if (word === 'end') words = rest;
        if (word === 'gone' && words === undefined) {
          this.cut();
          cutOff(false);
        }
        endIfSaid();
      },
    });
    this.#listener = { output, errors, cutOff };
    if (this.#usable) this.#client.stdin.write(program.text);
    else tellEnd({ how: 'unheard', said });
    const control = (letter: 'c' | 'r'): void => {
      if (!greeted) early = letter;
      else if (words === undefined) write(letter);
    };
    return { end, control, cut: () => this.cut() };
  }

  /** Ends what is asked, and the session with it. */
  cut(): void {
    this.#usable = false;
    this.#client.kill();
  }

  /** Ends it by itself. */
  close(): void {
    this.#usable = false;
    this.#client.stdin.end();
    void Promise.race([this.gone, pause(leaveMs, undefined, { ref: false })]).then(() => this.#client.kill());
  }

  #greeting(): Promise<void> {
    return new Promise((resolve, reject) => {
      let left = 2;
      let said = '';
      const done = (settle: () => void): void => {
        clearTimeout(timer);
        this.#listener = undefined;
        settle();
      };
      const timer = setTimeout(() => {
        said += '\nThe login shell did not answer in time.';
        this.cut();
      }, openLimitMs);
      const stream = (): MarkedStream =>
        new MarkedStream(this.mark, {
          onData: (bytes) => {
            said = (said + bytes.toString('utf8')).slice(-4_096);
          },
          onMark: () => {
            left--;
            if (left === 0) done(resolve);
          },
        });
      this.#listener = { output: stream(), errors: stream(), cutOff: () => done(() => reject(new NoSession(said))) };
      if (!this.#usable) this.#listener.cutOff(false);
    });
  }

  /** What waits for an answer keeps this process alive; an idle session does not. */
  #hold(): void {
    for (const handle of this.#handles()) handle.ref?.();
  }

  #letGo(): void {
    for (const handle of this.#handles()) handle.unref?.();
  }

  #handles(): readonly { ref?: () => void; unref?: () => void }[] {
    const client: object = this.#client;
    return [client, this.#client.stdin, this.#client.stdout, this.#client.stderr];
  }
}
