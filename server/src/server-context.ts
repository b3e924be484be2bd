import type { BlockStore, Logger } from '@vbs/core';
import type { EventStreams } from './answers/event-streams.js';
import type { Waits } from './answers/waits.js';
import type { Limits } from './limits.js';
import type { Metrics } from './metrics/metrics.js';

/** What the routes of one server share. */
export interface ServerContext {
  readonly store: BlockStore;
  readonly limits: Limits;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly waits: Waits;
  readonly streams: EventStreams;
  /** Whether a connection came by the Unix socket, whose users are those who may read the log and the data anyway. */
  readonly isOperator: (socket: object) => boolean;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The operation that the request began, or repeated; empty where there is none. */
    operationId: string;
  }
}
