/** The times by which a store works, in milliseconds. */
export interface StoreTimes {
  /** How long a process holds its operations without renewing; it stops by itself at two thirds. */
  readonly leaseMs: number;
  /** How often operations that nobody works on are looked for. */
  readonly scanMs: number;
  /** How often attachments to restore are looked for. */
  readonly restoreMs: number;
  /** How often the pools' epoch marks follow the store's counter. */
  readonly markMs: number;
  /** How often another process's operation is looked at while somebody waits for it. */
  readonly pollMs: number;
  /** How long `ifBusy: 'wait'` waits for a resource. */
  readonly busyLimitMs: number;
  /** How long a close lets running operations go on before it lets go of them. */
  readonly drainMs: number;
  /** How long a close then waits for their calls to end. */
  readonly leaveMs: number;
  /** The pause before a stuck operation is tried again, by how often it was tried. */
  readonly pauseMs: (attempts: number) => number;
}

export const defaultTimes: StoreTimes = {
  leaseMs: 15_000,
  scanMs: 2_000,
  restoreMs: 10_000,
  markMs: 10_000,
  pollMs: 100,
  busyLimitMs: 60_000,
  drainMs: 2_000,
  leaveMs: 5_500,
  pauseMs: (attempts) => Math.min(1_000 * 2 ** (attempts - 1), 60_000),
};
