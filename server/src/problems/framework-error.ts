import { isVbsError } from '@vbs/core';
import { invalid, Refusal } from './refusal.js';

/** What fastify refuses by itself, in our words; what is not of fastify stays what it is. */
export function fromFramework(error: unknown, bodyBytes: number): unknown {
  if (isVbsError(error) || !(error instanceof Error) || !('code' in error)) return error;
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Refusal('OUT_OF_RANGE', `the body has more than ${bodyBytes} bytes`, {
        status: 413,
        field: 'body',
        context: { limitBytes: bodyBytes },
      });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return notJson();
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return invalid('Content-Length', 'Content-Length is not the length of the body');
    case 'FST_ERR_BAD_URL':
      return invalid('path', 'the path is not legal: a % must begin two hex digits of UTF-8');
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new Refusal('OUT_OF_RANGE', 'a part of the path is too long; ids have 22 characters at the most', {
        status: 414,
        field: 'path',
      });
    case 'FST_STATIC_FORBIDDEN_PATH':
      return new Refusal('NOT_FOUND', 'there is nothing at this path; /openapi.json lists what there is', { status: 404, field: 'path' });
    case 'ECONNRESET':
    case 'ERR_STREAM_PREMATURE_CLOSE':
      return invalid('body', 'the body did not come to its end');
    default:
      return error;
  }
}

/** A body must be JSON by name: a browser sends other kinds for any page that asks it to. */
export function notJson(): Refusal {
  return new Refusal(
    'INVALID_ARGUMENT',
    'the body must be JSON in UTF-8: send it with "Content-Type: application/json", and not compressed',
    {
      status: 415,
      field: 'Content-Type',
      context: { legal: ['application/json'] },
    },
  );
}
