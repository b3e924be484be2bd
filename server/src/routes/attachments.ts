import { VbsError } from '@vbs/core';
import type { FastifyRequest } from 'fastify';
import { changes, pageOf, reads, refTo } from '../answers/documents.js';
import { describedOne } from '../answers/operation-answers.js';
import { noBody } from '../requests/json-body.js';
import { idOf, noQuery, type PageQuery, pageQuery } from '../requests/parameters.js';
import type { ServerContext } from '../server-context.js';
import type { Routes } from './routes.js';

const tags = ['attachments'];
const volumeId = { type: 'string', description: 'Only those of this volume.' };

export const attachmentRoutes: Routes = (app, { context: { store, isOperator }, views }) => {
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

  app.post<{ Params: { readonly id: string } }>(
    '/v1/attachments/:id/credentials',
    {
      preValidation: noBody,
      schema: {
        tags,
        operationId: 'attachmentCredentials',
        summary: "The CHAP user and password of an attachment's export; to the operator alone, by the Unix socket.",
        params: idOf('attachment'),
        querystring: noQuery,
        response: changes(refTo('credentials'), 'The credentials.'),
      },
    },
    async (request) => {
      requireOperator(request, isOperator);
      const { user, password } = await store.attachmentCredentials(request.params.id);
      return { user, password: password.reveal() };
    },
  );
};

function requireOperator({ raw }: FastifyRequest, isOperator: ServerContext['isOperator']): void {
  if (!isOperator(raw.socket))
    throw new VbsError('PERMISSION_DENIED', 'passwords are told by the Unix socket of the server alone, to whoever may open it');
}
