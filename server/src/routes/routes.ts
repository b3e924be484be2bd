import type { FastifyInstance } from 'fastify';
import type { OperationAnswers } from '../answers/operation-answers.js';
import type { Views } from '../answers/views.js';
import type { ServerContext } from '../server-context.js';

/** What the routes of one resource are given. */
export interface RouteParts {
  readonly context: ServerContext;
  readonly answers: OperationAnswers;
  readonly views: Views;
}

export type Routes = (app: FastifyInstance, parts: RouteParts) => void;
