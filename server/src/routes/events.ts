import type { FastifyRequest } from 'fastify';
import { reads, refTo } from '../answers/documents.js';
import { invalid } from '../problems/refusal.js';
import { eventsQuery } from '../requests/parameters.js';
import type { Routes } from './routes.js';

type EventsRequest = FastifyRequest<{ Querystring: { readonly after?: number } }>;

/** A browser's EventSource sends the id of the last event that it got. */
const lastEventId = {
  type: 'object',
  properties: {
    'Last-Event-ID': { type: 'string', description: 'As ?after, and instead of it: what a reader sends that connects again.' },
  },
} as const;

/** @throws INVALID_ARGUMENT */
function afterOf({ headers, query }: EventsRequest): number | undefined {
  const last = headers['last-event-id'];
  if (last === undefined || last === '') return query.after;
  if (typeof last === 'string' && /^[0-9]{1,15}$/.test(last)) return Number(last);
  throw invalid('Last-Event-ID', 'Last-Event-ID must be the id of an event: its sequence, a whole number');
}

export const eventRoutes: Routes = (app, { context: { streams } }) => {
  const { 200: ok, ...refused } = reads(refTo('event'), 'The stream; the data of each message is an Event.') as Record<
    string,
    { headers: unknown }
  >;
  const response = { 200: { ...ok, content: { 'text/event-stream': { schema: refTo('event') } } }, ...refused };
  app.route<{ Querystring: { readonly after?: number } }>({
    method: ['GET', 'HEAD'],
    url: '/v1/events',
    exposeHeadRoute: false,
    schema: {
      tags: ['events'],
      operationId: 'followEvents',
      summary: 'What happens, as server-sent events, for as long as somebody reads.',
      headers: lastEventId,
      querystring: eventsQuery,
      response,
    },
    handler: async (request, reply) => {
      reply.type('text/event-stream');
      if (request.method === 'HEAD') return reply.send();
      const stream = await streams.start(afterOf(request));
      reply.hijack();
      reply.raw.writeHead(200, { ...(reply.getHeaders() as Record<string, string>), 'x-accel-buffering': 'no' });
      await stream.writeTo(reply.raw);
    },
  });
};
