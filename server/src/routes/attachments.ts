import { pageOf, reads, refTo } from '../answers/documents.js';
import { describedOne } from '../answers/operation-answers.js';
import { idOf, noQuery, type PageQuery, pageQuery } from '../requests/parameters.js';
import type { Routes } from './routes.js';

const tags = ['attachments'];
const volumeId = { type: 'string', description: 'Only those of this volume.' };

export const attachmentRoutes: Routes = (app, { context: { store }, views }) => {
  app.get<{ Querystring: PageQuery & { readonly volumeId?: string } }>(
    '/v1/attachments',
    {
      schema: {
        tags,
        operationId: 'describeAttachments',
        summary: 'Lists attachments, those that are detached too, oldest first.',
        querystring: pageQuery('attachment', { volumeId }),
        response: reads(pageOf('attachment'), 'A page of attachments.'),
      },
    },
    async (request) => {
      const { items, nextCursor } = await store.describeAttachments(request.query);
      return { items: items.map((attachment) => views.resource(request, attachment)), nextCursor };
    },
  );

  app.get<{ Params: { readonly id: string } }>(
    '/v1/attachments/:id',
    {
      schema: {
        tags,
        operationId: 'describeAttachment',
        summary: 'An attachment.',
        params: idOf('attachment'),
        querystring: noQuery,
        response: reads(refTo('attachment'), 'The attachment.'),
      },
    },
    async (request) =>
      views.resource(request, await describedOne('attachment', request.params.id, (ids) => store.describeAttachments(ids))),
  );
};
