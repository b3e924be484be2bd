import { isVbsError, type Logger } from '@vbs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { fromFramework } from '../problems/framework-error.js';
import { withNamedField } from '../problems/named-field.js';
import { problemOf, problemType } from '../problems/problem.js';

interface Handling {
  readonly bodyBytes: number;
  readonly log: Logger;
  readonly isOperator: (socket: object) => boolean;
}

/** Answers whatever a hook, a validator or a route threw as a problem document; logs what nobody mapped. */
export function errorHandler({ bodyBytes, log, isOperator }: Handling) {
  return (thrown: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const error = withNamedField(fromFramework(thrown, bodyBytes), request);
    const { status, headers, body } = problemOf(error, request.id, isOperator(request.raw.socket));
    if (!isVbsError(error) || error.code === 'INTERNAL') log.error({ err: error, requestId: request.id }, 'a request met a fault');
    // fastify closes connections over bodies that it did not read: the answer could then be lost. Node reads the rest, within its limit.
    if (reply.hasHeader('connection')) reply.removeHeader('connection');
    void reply.code(status).headers(headers).type(problemType).send(body);
  };
}
