import { isVbsError, VbsError } from '@vbs/core';
import type { FastifyRequest } from 'fastify';

/** The part of a request that has this value: of its path, else of its body. */
function partWith({ params, body }: Pick<FastifyRequest, 'params' | 'body'>, value: string): string | undefined {
  const fields = [...Object.entries(params ?? {}), ...Object.entries(body ?? {})];
  return fields.find(([, given]) => given === value)?.[0];
}

/** The same error with the name that its field has in this request: the core names what is missing as its own calls do, or by its id alone. */
export function withNamedField(error: unknown, request: Pick<FastifyRequest, 'params' | 'body'>): unknown {
  if (!isVbsError(error)) return error;
  const { code, message, resource, context, cause } = error;
  const field = fieldOf(error, request);
  if (field === undefined || field === context.field) return error;
  return new VbsError(code, message, { ...(resource === undefined ? {} : { resource }), context: { ...context, field }, cause });
}

function fieldOf({ code, resource, context }: VbsError, request: Pick<FastifyRequest, 'params' | 'body'>): string | undefined {
  if (code === 'ALREADY_EXISTS' && context.field === 'clientToken') return 'Idempotency-Key';
  return code === 'NOT_FOUND' && resource !== undefined ? partWith(request, resource) : undefined;
}
