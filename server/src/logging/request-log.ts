import type { Logger } from '@vbs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { HttpMetrics } from '../metrics/http-metrics.js';

/** One line and one count for each request: never a body, a query or a header. Streams, and those whose client went away, have theirs too. */
export function logRequests(app: FastifyInstance, { log, http }: { readonly log: Logger; readonly http: HttpMetrics }): void {
  const told = new WeakSet<FastifyRequest>();
  const tell = (request: FastifyRequest, reply: FastifyReply, gone: { readonly clientGone?: true }): void => {
    if (told.has(request)) return;
    told.add(request);
    const { method, operationId, id: requestId } = request;
    const route = request.routeOptions.url ?? 'none';
    const { elapsedTime } = reply;
    const { statusCode: status } = reply.raw;
    http.answered(method, route, status, elapsedTime);
    const ms = Math.round(elapsedTime * 100) / 100;
    log.info({ requestId, method, route, status, ms, ...(operationId === '' ? {} : { operationId }), ...gone }, 'request');
  };
  app.addHook('onRequest', (request, reply, done) => {
    // Whose client goes before the end of its answer has no onResponse.
    reply.raw.once('close', () => tell(request, reply, reply.raw.writableFinished ? {} : { clientGone: true }));
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    tell(request, reply, {});
    done();
  });
}
