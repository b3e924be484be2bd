import { nearest } from '@vbs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../problems/refusal.js';

/** The paths that the routes have, and the methods of each. */
export class KnownPaths {
  readonly #methods = new Map<string, Set<string>>();

  /** Hears of every route that is registered after this call. */
  constructor(app: FastifyInstance) {
    app.addHook('onRoute', ({ url, method }) => {
      const methods = this.#methods.get(url) ?? new Set(['OPTIONS']);
      this.#methods.set(url, methods);
      for (const name of [method].flat()) methods.add(name.toUpperCase());
    });
  }

  /** Answers a request that no route takes: OPTIONS with what there is, all others with a refusal. */
  readonly refuse = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const path = request.url.split('?')[0] ?? '';
    const methods = this.#methodsOf(path);
    if (methods === undefined) throw this.notFound(path);
    const allow = [...methods].sort().join(', ');
    if (request.method === 'OPTIONS') return reply.code(204).header('allow', allow).send();
    throw new Refusal('INVALID_ARGUMENT', `there is no ${request.method} of this path; there are ${allow}`, {
      status: 405,
      field: 'method',
      context: { legal: [...methods].sort() },
      headers: { allow },
    });
  };

  #methodsOf(path: string): ReadonlySet<string> | undefined {
    const parts = path.split('/');
    const pattern = [...this.#methods.keys()].find((known) => {
      const knownParts = known.split('/');
      if (known.endsWith('/*')) return knownParts.slice(0, -1).every((part, index) => part === parts[index]);
      return knownParts.length === parts.length && knownParts.every((part, index) => part === parts[index] || part.startsWith(':'));
    });
    return pattern === undefined ? undefined : this.#methods.get(pattern);
  }

  /** What leads nowhere, with the path that may have been meant. */
  notFound(path: string): Refusal {
    const legal = [...this.#methods.keys()].filter((known) => !known.includes(':') && !known.includes('*'));
    const meant = nearest(path.slice(0, 64), legal);
    return new Refusal(
      'NOT_FOUND',
      `there is nothing at this path; /openapi.json lists what there is${meant === undefined ? '' : `, such as ${meant}`}`,
      {
        status: 404,
        field: 'path',
        context: meant === undefined ? {} : { meant },
      },
    );
  }
}
