import type { Connection, RemoteFacts } from './connection.js';
import type { SessionProgram } from './remote-program.js';
import { Session } from './session.js';

/** The kept sessions of one connection. There are as many as were ever needed at once; each is closed when it was unused for a while. */
export class Sessions {
  readonly #idle: Session[] = [];
  readonly #closing = new Map<Session, NodeJS.Timeout>();

  constructor(
    private readonly connection: Connection,
    private readonly programOf: (facts: RemoteFacts) => SessionProgram,
    private readonly idleMs: number,
  ) {}

  /** One that nobody else asks. @throws as {@link Session.open}. */
  async take(): Promise<Session> {
    for (let session = this.#idle.pop(); session !== undefined; session = this.#idle.pop()) {
      this.#forget(session);
      if (session.isUsable) return session;
    }
    const opened = await Session.open(this.connection, this.programOf);
    void opened.gone.then(() => this.#remove(opened));
    return opened;
  }

  /** Has it for the next request, if it can still be asked. */
  give(session: Session): void {
    if (!session.isUsable) return;
    this.#idle.push(session);
    const close = (): void => {
      this.#remove(session);
      session.close();
    };
    this.#closing.set(session, setTimeout(close, this.idleMs).unref());
  }

  /** Ends those that nobody asks. */
  close(): void {
    for (const session of this.#idle.splice(0)) {
      this.#forget(session);
      session.close();
    }
  }

  #remove(session: Session): void {
    this.#forget(session);
    const at = this.#idle.indexOf(session);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  #forget(session: Session): void {
    clearTimeout(this.#closing.get(session));
    this.#closing.delete(session);
  }
}
