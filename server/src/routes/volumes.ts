import type {
  AttachVolumeRequest as AttachBody,
  CreateVolumeRequest,
  DetachVolumeRequest as DetachBody,
  ExtendVolumeRequest as ExtendBody,
} from '@vbs/schemas';
import { operates, pageOf, reads, refTo } from '../answers/documents.js';
import { describedOne } from '../answers/operation-answers.js';
import { bodyMayBeAbsent, noBody } from '../requests/json-body.js';
import { idOf, noQuery, operationHeaders, type PageQuery, pageQuery, volumeAndAttachment } from '../requests/parameters.js';
import type { Routes } from './routes.js';

interface OfVolume {
  readonly Params: { readonly id: string };
}

const tags = ['volumes'];
const params = idOf('volume');
const shared = { tags, headers: operationHeaders, querystring: noQuery } as const;

export const volumeRoutes: Routes = (app, { context: { store }, answers, views }) => {
  const one = (id: string) => describedOne('volume', id, (request) => store.describeVolumes(request));

  app.post<{ Body: CreateVolumeRequest }>(
    '/v1/volumes',
    {
      schema: {
        ...shared,
        operationId: 'createVolume',
        summary: 'Makes a volume, empty or from a snapshot. One that is filled from a snapshot is answered at once, as pending.',
        body: refTo('createVolumeRequest'),
        response: operates({ 201: { description: 'The volume.', schema: refTo('volume'), location: true } }),
      },
    },
    (request, reply) => {
      const made = (volume: Awaited<ReturnType<typeof one>>) =>
        reply.code(201).header('location', `/v1/volumes/${volume.id}`).send(views.resource(request, volume));
      const call = (options: Parameters<typeof store.createVolume>[1]) => store.createVolume(request.body, options);
      return request.body.snapshotId === undefined
        ? answers.begin(request, reply, call, made)
        : answers.beginAndShow(request, reply, call, one, made);
    },
  );

  app.get<{ Querystring: PageQuery }>(
    '/v1/volumes',
    {
      schema: {
        tags,
        operationId: 'describeVolumes',
        summary: 'Lists volumes, oldest first.',
        querystring: pageQuery('volume'),
        response: reads(pageOf('volume'), 'A page of volumes.'),
      },
    },
    async (request) => {
      const { items, nextCursor } = await store.describeVolumes(request.query);
      return { items: items.map((volume) => views.resource(request, volume)), nextCursor };
    },
  );

  app.get<OfVolume>(
    '/v1/volumes/:id',
    {
      schema: {
        tags,
        operationId: 'describeVolume',
        summary: 'A volume.',
        params,
        querystring: noQuery,
        response: reads(refTo('volume'), 'The volume.'),
      },
    },
    async (request) => views.resource(request, await one(request.params.id)),
  );

  app.delete<OfVolume>(
    '/v1/volumes/:id',
    {
      preValidation: noBody,
      schema: {
        ...shared,
        operationId: 'deleteVolume',
        summary: 'Deletes a volume that is not attached.',
        params,
        response: operates({ 204: { description: 'It is deleted.' } }),
      },
    },
    (request, reply) =>
      answers.begin(
        request,
        reply,
        (options) => store.deleteVolume({ volumeId: request.params.id }, options),
        () => reply.code(204).send(),
      ),
  );

  app.post<OfVolume & { Body: AttachBody }>(
    '/v1/volumes/:id/attachments',
    {
      schema: {
        ...shared,
        operationId: 'attachVolume',
        summary: 'Brings a volume into a virtual machine.',
        params,
        body: refTo('attachVolumeRequest'),
        response: operates({ 201: { description: 'The attachment.', schema: refTo('attachment'), location: true } }),
      },
    },
    (request, reply) =>
      answers.begin(
        request,
        reply,
        (options) => store.attachVolume({ ...request.body, volumeId: request.params.id }, options),
        (attachment) => reply.code(201).header('location', `/v1/attachments/${attachment.id}`).send(views.resource(request, attachment)),
      ),
  );

  app.delete<{ Params: { readonly id: string; readonly attachmentId: string } }>(
    '/v1/volumes/:id/attachments/:attachmentId',
    {
      preValidation: noBody,
      schema: {
        ...shared,
        operationId: 'detachAttachment',
        summary: 'Takes a volume out of a virtual machine, by its attachment.',
        params: volumeAndAttachment,
        response: operates({ 200: { description: 'The attachment, detached.', schema: refTo('attachment') } }),
      },
    },
    (request, reply) =>
      answers.begin(
        request,
        reply,
        (options) => store.detachVolume({ volumeId: request.params.id, attachmentId: request.params.attachmentId }, options),
        (attachment) => reply.send(views.resource(request, attachment)),
      ),
  );

  app.post<OfVolume & { Body: DetachBody }>(
    '/v1/volumes/:id/detach',
    {
      preValidation: bodyMayBeAbsent,
      schema: {
        ...shared,
        operationId: 'detachVolume',
        summary: 'Takes a volume out of a virtual machine.',
        params,
        body: refTo('detachVolumeRequest'),
        response: operates({ 200: { description: 'The attachment, detached.', schema: refTo('attachment') } }),
      },
    },
    (request, reply) =>
      answers.begin(
        request,
        reply,
        (options) => store.detachVolume({ ...request.body, volumeId: request.params.id }, options),
        (attachment) => reply.send(views.resource(request, attachment)),
      ),
  );

  app.post<OfVolume & { Body: ExtendBody }>(
    '/v1/volumes/:id/extend',
    {
      schema: {
        ...shared,
        operationId: 'extendVolume',
        summary: 'Makes a volume larger, under a running virtual machine too.',
        params,
        body: refTo('extendVolumeRequest'),
        response: operates({ 200: { description: 'The volume.', schema: refTo('volume') } }),
      },
    },
    (request, reply) =>
      answers.begin(
        request,
        reply,
        (options) => store.extendVolume({ size: request.body.size, volumeId: request.params.id }, options),
        (volume) => reply.send(views.resource(request, volume)),
      ),
  );

  app.post<OfVolume>(
    '/v1/volumes/:id/reset-state',
    {
      preValidation: noBody,
      schema: {
        ...shared,
        operationId: 'resetState',
        summary: 'Brings a volume out of error, once it is proved that nothing of its attachments is left.',
        params,
        response: operates({ 200: { description: 'The volume.', schema: refTo('volume') } }),
      },
    },
    (request, reply) =>
      answers.begin(
        request,
        reply,
        (options) => store.resetState({ volumeId: request.params.id }, options),
        (volume) => reply.send(views.resource(request, volume)),
      ),
  );
};
