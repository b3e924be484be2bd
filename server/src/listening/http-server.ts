import { createServer, type RequestListener, type Server } from 'node:http';
import type { Logger } from '@vbs/core';
import type { Limits } from '../limits.js';
import type { HttpMetrics } from '../metrics/http-metrics.js';
import { invalid, Refusal } from '../problems/refusal.js';
import { writeProblem, writeRawProblem } from '../problems/write-problem.js';
import { requestIdOf } from '../requests/request-id.js';

export interface HttpServerParts {
  readonly limits: Limits;
  readonly log: Logger;
  readonly http: HttpMetrics;
}

/** How often slow requests are looked for; at the least four times within the shortest of their limits. */
const longestLookMs = 1_000;

/** A server of node:http with every limit, that listens nowhere yet. What cannot be parsed is left to its `clientError`. */
export function createHttpServer(listener: RequestListener, { limits, log, http }: HttpServerParts): Server {
  const { headersMs, requestMs, keepAliveMs, idleMs, connections } = limits;
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: Math.min(headersMs, requestMs),
      requestTimeout: requestMs,
      keepAliveTimeout: keepAliveMs,
      connectionsCheckingInterval: Math.min(longestLookMs, Math.ceil(Math.min(headersMs, requestMs) / 4)),
      // Its absence is refused by the check of hosts, in words.
      requireHostHeader: false,
    },
    listener,
  );
  server.maxConnections = connections;
  server.timeout = idleMs;
  server.on('drop', () => {
    http.dropped();
    log.warn({ connections }, 'a connection was closed at once: as many as are allowed are open');
  });
  server.on('checkExpectation', (request, response) => {
    const refusal = new Refusal('INVALID_ARGUMENT', 'Expect must be 100-continue', { status: 417, field: 'Expect' });
    writeProblem(response, refusal, requestIdOf(request));
  });
  server.on('connect', (request, socket) => {
    writeRawProblem(socket, invalid('method', 'this server is no proxy'), requestIdOf(request));
  });
  return server;
}
