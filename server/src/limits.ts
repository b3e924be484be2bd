/** What one server takes at the most. All times are in milliseconds. Told in docs/rest.md. */
export interface Limits {
  /** A request's body, in bytes. */
  readonly bodyBytes: number;
  /** A request's line and headers together, in bytes; the ids of a full page of 1,000 fit into the usual one. */
  readonly headerBytes: number;
  /** Connections at a time of each listener; more are closed at once. */
  readonly connections: number;
  /** From the opening of a connection, or the first byte of a later request, to the end of the headers. */
  readonly headersMs: number;
  /** From the first byte of a request to the end of its body. */
  readonly requestMs: number;
  /** How long a connection without a request is kept. */
  readonly keepAliveMs: number;
  /** How long nothing may move on a connection with a request; above the longest wait. */
  readonly idleMs: number;
  /** Requests that wait for an operation at a time. */
  readonly waits: number;
  /** Streams of events at a time. */
  readonly eventStreams: number;
  /** Between two comments in a quiet stream of events. */
  readonly heartbeatMs: number;
  /** How long a reader of events may take nothing before its stream ends. */
  readonly slowReaderMs: number;
  /** How long /readyz and /v1/checks wait for the checks of the instances. */
  readonly checksMs: number;
  /** How long /metrics waits for the pools and the metadata. */
  readonly metricsMs: number;
}

/** Of a server that is told no others: sizes in bytes, times in milliseconds, the rest counts. */
export const defaultLimits: Limits = {
  bodyBytes: 64 * 1024,
  headerBytes: 32 * 1024,
  connections: 256,
  headersMs: 10_000,
  requestMs: 20_000,
  keepAliveMs: 60_000,
  idleMs: 330_000,
  waits: 200,
  eventStreams: 32,
  heartbeatMs: 15_000,
  slowReaderMs: 30_000,
  checksMs: 15_000,
  metricsMs: 2_000,
};

/** The usual limits with some replaced. @throws TypeError: one is no whole number above 0. */
export function limitsWith(given: Partial<Limits> = {}): Limits {
  const limits = { ...defaultLimits, ...given };
  const known = Object.keys(defaultLimits);
  for (const [name, value] of Object.entries(limits)) {
    if (!known.includes(name)) throw new TypeError(`there is no limit ${name}; there are ${known.join(', ')}`);
    if (!Number.isSafeInteger(value) || value <= 0) throw new TypeError(`the limit ${name} must be a whole number above 0`);
  }
  return limits;
}
