import { reads, refTo } from '../answers/documents.js';
import { readinessOf } from '../readiness.js';
import type { Routes } from './routes.js';

const tags = ['health'];
const alive = { type: 'object', required: ['status'], properties: { status: { const: 'ok' } } } as const;

export const healthRoutes: Routes = (app, { context, views }) => {
  const { store, metrics, limits, log } = context;
  const readGauges = metrics.gauges.reader(store, { limitMs: limits.metricsMs, log });

  app.get(
    '/healthz',
    {
      schema: {
        tags,
        operationId: 'healthz',
        summary: 'Whether the process answers; it looks at nothing.',
        response: reads(alive, 'It does.'),
      },
    },
    async () => ({ status: 'ok' }),
  );

  const { 200: ready, ...refused } = reads(refTo('readiness'), 'Every instance is well.') as Record<string, object>;
  const notReady = { ...ready, description: 'An instance is not well; the pools of a store that only reads are not.' };
  app.get(
    '/readyz',
    {
      schema: {
        tags,
        operationId: 'readyz',
        summary: 'Whether the server can do its work, and which instance is not well.',
        response: { ...refused, 200: ready, 503: notReady },
      },
    },
    async (request, reply) => {
      const readiness = await readinessOf(context);
      return reply.code(readiness.ready ? 200 : 503).send(views.texts(request, readiness));
    },
  );

  app.get(
    '/metrics',
    {
      schema: {
        tags,
        operationId: 'metrics',
        summary: 'Metrics, as Prometheus reads them.',
        response: { 200: { description: 'The metrics.', content: { 'text/plain': { schema: { type: 'string' } } } } },
      },
    },
    async (_request, reply) => {
      await readGauges();
      return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics());
    },
  );
};
