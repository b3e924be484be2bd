import { VbsError } from '@vbs/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { notJson } from '../problems/framework-error.js';
import { jsonErrorPosition } from '../problems/json-position.js';
import { repeatedKey } from './repeated-key.js';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** `application/json` alone; a charset, where one is named, is UTF-8, and nothing is compressed. */
function requireJson({ headers }: FastifyRequest): void {
  const encoding = headers['content-encoding'];
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(headers['content-type'] ?? '')?.[1];
  if ((encoding !== undefined && encoding !== 'identity') || (charset !== undefined && !/^utf-?8$/i.test(charset))) throw notJson();
}

function wrongBody(message: string, context: Readonly<Record<string, unknown>> = {}): VbsError {
  return new VbsError('INVALID_ARGUMENT', message, { context: { field: 'body', ...context } });
}

function textOf(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new VbsError('INVALID_ARGUMENT', 'the body is not UTF-8', { context: { field: 'body' }, cause });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const position = jsonErrorPosition(text);
    const message = position >= text.length ? 'the body is JSON without its end' : `the body is no JSON from character ${position} on`;
    throw new VbsError('INVALID_ARGUMENT', message, { context: { field: 'body', position }, cause });
  }
}

/** @throws INVALID_ARGUMENT: the body says two things. */
function requireEachOnce(text: string): void {
  const field = repeatedKey(text)?.slice(0, 64);
  if (field !== undefined) throw new VbsError('INVALID_ARGUMENT', `${field} was given more than once`, { context: { field } });
}

/** The object that a body holds; undefined where it is empty. @throws INVALID_ARGUMENT: it holds something else. */
function readBody(request: FastifyRequest, bytes: Buffer): unknown {
  requireJson(request);
  if (bytes.length === 0) return undefined;
  const text = textOf(bytes);
  const value = parse(text);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    requireEachOnce(text);
    return value;
  }
  throw wrongBody(`the body must be a JSON object, not ${Array.isArray(value) ? 'a list' : JSON.stringify(value).slice(0, 40)}`);
}

/** Takes bodies of JSON, and no others. */
export function acceptJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    try {
      done(null, readBody(request, Buffer.isBuffer(body) ? body : Buffer.from(body)));
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)), undefined);
    }
  });
}

/** Before validation, on routes whose body may be left out. */
export async function bodyMayBeAbsent(request: FastifyRequest): Promise<void> {
  request.body ??= {};
}

/** Before validation, on routes that take no body: an empty object is none. @throws INVALID_ARGUMENT */
export async function noBody({ body }: FastifyRequest): Promise<void> {
  const [field] = Object.keys(body ?? {});
  if (field === undefined) return;
  throw new VbsError('INVALID_ARGUMENT', `${field.slice(0, 64)} is not a field of this request, which takes no body`, {
    context: { field: field.slice(0, 64), legal: [] },
  });
}
