import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { errorTable } from '@vbs/core';
import { schemas } from '@vbs/schemas';
import type { FastifyInstance } from 'fastify';

/** The page loads nothing from elsewhere; its own styles stand within it. */
const policy = {
  'default-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'", "'unsafe-inline'"],
  'img-src': ["'self'", 'data:'],
  'font-src': ["'self'", 'data:'],
  'connect-src': ["'self'"],
  'form-action': ["'none'"],
  'base-uri': ["'none'"],
  'frame-ancestors': ["'none'"],
};

/** Collects the OpenAPI document from the routes that are registered after it, and serves it with a page to browse it. */
export async function registerDocs(app: FastifyInstance, version: string): Promise<void> {
  const { configuration: _, ...shown } = schemas;
  for (const schema of Object.values(shown)) app.addSchema(schema);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'VBS, the Virtual Block Store',
        version,
        description: 'Block volumes and snapshots that outlive the virtual machines they are attached to. The guide is docs/rest.md.',
      },
      servers: [{ url: '/' }],
    },
    refResolver: { buildLocalReference: (json) => String(json.title) },
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: policy,
    uiConfig: { validatorUrl: null, docExpansion: 'list' },
  });
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
  app.get('/docs/errors', { schema: { hide: true } }, async (_request, reply) => reply.type('text/html; charset=utf-8').send(errorPage));
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

const rows = Object.entries(errorTable)
  .map(
    ([code, { http, retry, when }]) =>
      `<tr id="${code}"><td>${code}</td><td>${http ?? ''}</td><td>${retry}</td><td>${escaped(when)}</td></tr>`,
  )
  .join('\n');

/** What the `type` of a problem refers to. */
const errorPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Error codes of VBS</title></head><body>
<h1>Error codes of VBS</h1>
<table><tr><th>code</th><th>HTTP</th><th>retry</th><th>when</th></tr>
${rows}
</table></body></html>
`;
