import type { FastifyRequest } from 'fastify';
import { invalid, Refusal } from '../problems/refusal.js';

/** The most header lines of a request. Node drops what is beyond its own limit of 2,000 without a word. */
const mostLines = 1_000;

/** Of these Node keeps the first and drops the others, and whoever passed the request on may have looked at another one. */
const onceOnly: Readonly<Record<string, string>> = { host: 'Host', 'content-type': 'Content-Type' };

/** @throws INVALID_ARGUMENT: a header that there may be once is given again. OUT_OF_RANGE: there are too many. */
export function requireLegalHeaders({ raw: { rawHeaders } }: FastifyRequest): void {
  const names = rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  if (names.length > mostLines) {
    throw new Refusal('OUT_OF_RANGE', `the request has more than ${mostLines} headers`, {
      status: 431,
      field: 'headers',
      context: { most: mostLines },
    });
  }
  for (const [name, field] of Object.entries(onceOnly)) {
    if (names.indexOf(name) !== names.lastIndexOf(name)) throw invalid(field, `${field} is given more than once; give it once`);
  }
}
