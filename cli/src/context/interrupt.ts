/** Thrown out of every wait when the user has interrupted the command, or whoever read its output has gone. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly exitCode: number;

  constructor(cause: InterruptCause) {
    super(`interrupted by ${cause}`);
    this.exitCode = exitCodes[cause];
  }
}

type InterruptCause = keyof typeof exitCodes;

/** 128 and the signal's number, as shells have it; a reader that has gone has what it wanted. */
const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143, SIGPIPE: 0 } as const;

/** What ends a command before it is done. */
export class Interrupt {
  readonly #controller = new AbortController();
  #needsReader = true;

  /** The first SIGINT, SIGTERM or SIGHUP aborts, with {@link Interrupted}; the second ends the process at once. */
  static listen(): Interrupt {
    const interrupt = new Interrupt();
    const controller = interrupt.#controller;
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(name, () => {
        const interrupted = new Interrupted(name);
        if (controller.signal.aborted) process.exit(interrupted.exitCode);
        controller.abort(interrupted);
      });
    }
    for (const stream of [process.stdout, process.stderr]) {
      stream.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EPIPE') throw error;
        if (interrupt.#needsReader) controller.abort(new Interrupted('SIGPIPE'));
      });
    }
    return interrupt;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** A server goes on when nobody reads what it prints. */
  goOnWithoutReader(): void {
    this.#needsReader = false;
  }
}
