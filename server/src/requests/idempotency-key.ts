import type { FastifyRequest } from 'fastify';
import { invalid } from '../problems/refusal.js';

const legalKey = /^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/;

/** The client token of a request, if it has one. @throws INVALID_ARGUMENT: it is empty, too long, given twice, or not ASCII. */
export function clientTokenOf({ headers, raw }: FastifyRequest): { readonly clientToken?: string } {
  const key = headers['idempotency-key'];
  if (key === undefined) return {};
  const times = raw.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'idempotency-key').length;
  if (typeof key !== 'string' || times !== 1 || !legalKey.test(key))
    throw invalid('Idempotency-Key', 'Idempotency-Key must be given once, and be 1 to 255 printable characters of ASCII');
  return { clientToken: key };
}
