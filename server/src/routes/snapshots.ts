import type { CreateSnapshotRequest } from '@vbs/schemas';
import { operates, pageOf, reads, refTo } from '../answers/documents.js';
import { describedOne } from '../answers/operation-answers.js';
import { noBody } from '../requests/json-body.js';
import { idOf, noQuery, operationHeaders, type PageQuery, pageQuery } from '../requests/parameters.js';
import type { Routes } from './routes.js';

interface OfSnapshot {
  readonly Params: { readonly id: string };
}

const tags = ['snapshots'];
const params = idOf('snapshot');
const shared = { tags, headers: operationHeaders, querystring: noQuery } as const;

export const snapshotRoutes: Routes = (app, { context: { store }, answers, views }) => {
  app.post<{ Body: CreateSnapshotRequest }>(
    '/v1/snapshots',
    {
      schema: {
        ...shared,
        operationId: 'createSnapshot',
        summary: 'Takes a snapshot: the content of a volume at one instant before the answer.',
        body: refTo('createSnapshotRequest'),
        response: operates({ 201: { description: 'The snapshot.', schema: refTo('snapshot'), location: true } }),
      },
    },
    (request, reply) =>
      answers.begin(
        request,
        reply,
        (options) => store.createSnapshot(request.body, options),
        (snapshot) => reply.code(201).header('location', `/v1/snapshots/${snapshot.id}`).send(views.resource(request, snapshot)),
      ),
  );

  app.get<{ Querystring: PageQuery }>(
    '/v1/snapshots',
    {
      schema: {
        tags,
        operationId: 'describeSnapshots',
        summary: 'Lists snapshots, oldest first.',
        querystring: pageQuery('snapshot'),
        response: reads(pageOf('snapshot'), 'A page of snapshots.'),
      },
    },
    async (request) => {
      const { items, nextCursor } = await store.describeSnapshots(request.query);
      return { items: items.map((snapshot) => views.resource(request, snapshot)), nextCursor };
    },
  );

  app.get<OfSnapshot>(
    '/v1/snapshots/:id',
    {
      schema: {
        tags,
        operationId: 'describeSnapshot',
        summary: 'A snapshot.',
        params,
        querystring: noQuery,
        response: reads(refTo('snapshot'), 'The snapshot.'),
      },
    },
    async (request) => views.resource(request, await describedOne('snapshot', request.params.id, (ids) => store.describeSnapshots(ids))),
  );

  app.delete<OfSnapshot>(
    '/v1/snapshots/:id',
    {
      preValidation: noBody,
      schema: {
        ...shared,
        operationId: 'deleteSnapshot',
        summary: 'Deletes a snapshot.',
        params,
        response: operates({ 204: { description: 'It is deleted.' } }),
      },
    },
    (request, reply) =>
      answers.begin(
        request,
        reply,
        (options) => store.deleteSnapshot({ snapshotId: request.params.id }, options),
        () => reply.code(204).send(),
      ),
  );
};
