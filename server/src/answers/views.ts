import type { Attachment, Operation, Snapshot, Volume } from '@vbs/schemas';
import type { FastifyRequest } from 'fastify';
import { withoutPaths, withoutPathsIn } from '../problems/hide-paths.js';
import { publicContext } from '../problems/problem.js';
import type { ServerContext } from '../server-context.js';

/** Resources as a caller may see them: only the operator, by the Unix socket, is told of files of this machine. */
export class Views {
  readonly #isOperator: ServerContext['isOperator'];

  constructor({ isOperator }: Pick<ServerContext, 'isOperator'>) {
    this.#isOperator = isOperator;
  }

  /** A volume, snapshot or attachment: its reason may be the text of an error. */
  resource<R extends Volume | Snapshot | Attachment>(request: FastifyRequest, resource: R): R {
    if (typeof resource.reason !== 'string' || this.#isOperator(request.raw.socket)) return resource;
    return { ...resource, reason: withoutPaths(resource.reason) };
  }

  operation(request: FastifyRequest, operation: Operation): Operation {
    const { error, reason } = operation;
    if ((error === null && reason === null) || this.#isOperator(request.raw.socket)) return operation;
    return {
      ...operation,
      reason: reason === null ? null : withoutPaths(reason),
      error: error === null ? null : { ...error, message: withoutPaths(error.message), context: publicContext(error.context) },
    };
  }

  /** What instances say of themselves. */
  texts<T>(request: FastifyRequest, value: T): T {
    return this.#isOperator(request.raw.socket) ? value : withoutPathsIn(value);
  }
}
