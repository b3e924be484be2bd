import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** What a log and a header can hold, and nobody can abuse. */
const sane = /^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$/;

/** The id that the caller gave to its request (`X-Request-Id` or `Request-Id`), if it is a sane one; else a new one. */
export function requestIdOf({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const given = headers['x-request-id'] ?? headers['request-id'];
  return typeof given === 'string' && sane.test(given) ? given : `req-${randomUUID()}`;
}
