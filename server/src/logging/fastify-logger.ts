import type { Logger } from '@vbs/core';
import type { FastifyBaseLogger } from 'fastify';

type Level = keyof Logger;

function at(log: Logger, level: Level) {
  return (fields: unknown, message?: unknown): void => {
    if (typeof fields === 'string') log[level]({}, fields);
    else log[level](typeof fields === 'object' && fields !== null ? fields : { value: fields }, String(message ?? ''));
  };
}

/** Any logger of VBS as fastify wants one; it makes no child for each request. */
export function fastifyLogger(log: Logger): FastifyBaseLogger {
  const adapted: FastifyBaseLogger = {
    level: 'info',
    fatal: at(log, 'error'),
    error: at(log, 'error'),
    warn: at(log, 'warn'),
    info: at(log, 'info'),
    debug: at(log, 'debug'),
    trace: at(log, 'debug'),
    silent: () => undefined,
    child: () => adapted,
  };
  return adapted;
}
