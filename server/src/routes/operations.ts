import { changes, listOf, pageOf, reads, refTo } from '../answers/documents.js';
import { noBody } from '../requests/json-body.js';
import { idOf, noQuery, type PageQuery, pageQuery, preferHeader } from '../requests/parameters.js';
import type { Routes } from './routes.js';

interface OfOperation {
  readonly Params: { readonly id: string };
}

const tags = ['operations'];
const params = idOf('operation');
const resourceId = { type: 'string', description: 'Only those on this volume, snapshot or attachment.' };

export const operationRoutes: Routes = (app, { context: { store }, answers, views }) => {
  app.get<{ Querystring: PageQuery & { readonly resourceId?: string } }>(
    '/v1/operations',
    {
      schema: {
        tags,
        operationId: 'describeOperations',
        summary: 'Lists operations, oldest first.',
        querystring: pageQuery('operation', { resourceId }),
        response: reads(pageOf('operation'), 'A page of operations.'),
      },
    },
    async (request) => {
      const { items, nextCursor } = await store.describeOperations(request.query);
      return { items: items.map((operation) => views.operation(request, operation)), nextCursor };
    },
  );

  app.get<OfOperation>(
    '/v1/operations/:id',
    {
      schema: {
        tags,
        operationId: 'describeOperation',
        summary: 'An operation; with Prefer: wait=N when it has ended or is stuck, or after N seconds.',
        params,
        querystring: noQuery,
        headers: preferHeader,
        response: reads(refTo('operation'), 'The operation.'),
      },
    },
    async (request, reply) => views.operation(request, await answers.whenEnded(request, reply, request.params.id)),
  );

  app.get<OfOperation>(
    '/v1/operations/:id/journal',
    {
      schema: {
        tags,
        operationId: 'describeJournal',
        summary: 'What an operation has done, step by step.',
        params,
        querystring: noQuery,
        response: reads(listOf('journalEntry'), 'Its journal, oldest first.'),
      },
    },
    async (request) => {
      await answers.one(request.params.id);
      return { items: await store.describeJournal(request.params.id) };
    },
  );

  const acts = {
    retry: ['retryOperation', 'Tries a stuck operation now, and answers how it stands then.'],
    abandon: ['abandonOperation', 'Gives a stuck operation up where it stands.'],
    cancel: ['cancelOperation', 'Asks an operation to go back, as far as it still may.'],
  } as const;
  for (const [act, [operationId, summary]] of Object.entries(acts)) {
    app.post<OfOperation>(
      `/v1/operations/:id/${act}`,
      {
        preValidation: noBody,
        schema: { tags, operationId, summary, params, querystring: noQuery, response: changes(refTo('operation'), 'The operation.') },
      },
      async (request, reply) => {
        const { id } = request.params;
        if (operationId === 'retryOperation') await answers.within(reply, (signal) => store.retryOperation(id, { signal }));
        else await store[operationId](id);
        return views.operation(request, await answers.one(id));
      },
    );
  }
};
