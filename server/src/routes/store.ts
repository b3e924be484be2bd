import type { ReconcileRequest } from '@vbs/schemas';
import { changes, listOf, reads, refTo } from '../answers/documents.js';
import { checkInstances } from '../readiness.js';
import { bodyMayBeAbsent } from '../requests/json-body.js';
import { noQuery } from '../requests/parameters.js';
import type { Routes } from './routes.js';

const tags = ['store'];

/** What is about the whole store: its pools, routes and instances, and whether it agrees with the outside. */
export const storeRoutes: Routes = (app, { context, views }) => {
  const { store } = context;

  app.post<{ Body: ReconcileRequest }>(
    '/v1/reconcile',
    {
      preValidation: bodyMayBeAbsent,
      schema: {
        tags,
        operationId: 'reconcile',
        summary: 'Compares the metadata with the outside, and does what it is asked to.',
        querystring: noQuery,
        body: refTo('reconcileRequest'),
        response: changes(refTo('reconcileReport'), 'What differs.'),
      },
    },
    async (request) => views.texts(request, await store.reconcile(request.body)),
  );

  app.get(
    '/v1/pools',
    {
      schema: {
        tags,
        operationId: 'describePools',
        summary: 'The pool of each backend, as it answers now.',
        querystring: noQuery,
        response: reads(listOf('pool'), 'The pools.'),
      },
    },
    async (request) => ({ items: views.texts(request, await store.describePools()) }),
  );

  app.get(
    '/v1/routes',
    {
      schema: {
        tags,
        operationId: 'listRoutes',
        summary: 'The route from each backend to each VMM node, or why there is none.',
        querystring: noQuery,
        response: reads(listOf('route'), 'The routes.'),
      },
    },
    async () => ({
      items: store.listRoutes().map(({ backend, node, route, reason }) => ({
        backend,
        vmmHost: node,
        exporter: route?.exporter.name ?? null,
        initiator: route?.initiator?.name ?? null,
        reason: reason?.message ?? null,
      })),
    }),
  );

  app.get(
    '/v1/checks',
    {
      schema: {
        tags,
        operationId: 'check',
        summary: 'What each instance misses; 200 also when some do.',
        querystring: noQuery,
        response: reads(listOf('instanceCheck'), 'The instances.'),
      },
    },
    async (request) => ({ items: views.texts(request, await checkInstances(context)) }),
  );
};
