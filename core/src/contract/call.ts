/** Structured logging: fields first, then the message; a pino logger is one. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What every contract method is given beside its request. */
export interface Call {
  /** Aborted when the call's time limit is over, its operation is cancelled, or this process lost its lease. */
  readonly signal: AbortSignal;
  readonly operationId: string;
  /**
   * The epoch of the lease under which the call acts (safety B1). A changing act passes it, with the resource that it
   * changes, to the machine's guard, which refuses an epoch lower than the last one seen there.
   */
  readonly epoch: number;
  readonly log: Logger;
  /** Reports durable progress: `doneBytes` have been synced to the medium, and a restart may go on from there. */
  progress(doneBytes: number, totalBytes: number): void;
}
