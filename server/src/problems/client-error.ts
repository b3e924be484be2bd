import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from '@vbs/core';
import type { Limits } from '../limits.js';
import type { HttpMetrics } from '../metrics/http-metrics.js';
import { requestIdOf } from '../requests/request-id.js';
import { invalid, Refusal } from './refusal.js';
import { writeRawProblem } from './write-problem.js';

/** Node's own record of the answer that is under way on a connection. */
interface ServedSocket extends Socket {
  readonly _httpMessage?: Pick<ServerResponse, 'headersSent' | 'req' | 'once'> | null;
}

function refusalOf(code: string | undefined, { headerBytes, requestMs, headersMs }: Limits): Error {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new Refusal('OUT_OF_RANGE', `the request's line and headers have more than ${headerBytes} bytes`, {
        status: 431,
        field: 'headers',
        context: { limitBytes: headerBytes },
      });
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new Refusal('OUT_OF_RANGE', 'the extensions of a chunk are too long', { status: 413, field: 'body' });
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Refusal(
        'DEADLINE_EXCEEDED',
        `the request did not come to its end in time: ${headersMs} ms for the headers, ${requestMs} ms for all of it`,
        { status: 408, context: { limitMs: requestMs } },
      );
    case 'HPE_INVALID_METHOD':
      return invalid('method', 'the request does not begin with a method of HTTP/1.1');
    default:
      return invalid('request', 'the request is not legal HTTP/1.1');
  }
}

/** Answers what could not be parsed, or came too slowly, and closes the connection. */
export function clientErrorHandler({ limits, log, http }: { limits: Limits; log: Logger; http: HttpMetrics }) {
  return (error: NodeJS.ErrnoException, socket: ServedSocket): void => {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
    const answer = socket._httpMessage;
    // The request before is whole, and its answer under way: a refusal now would be taken for that answer, or for its rest.
    if (answer?.req.complete === true) return void answer.once('close', () => socket.destroy());
    if (answer?.headersSent === true) return void socket.destroy();
    const requestId = requestIdOf({ headers: {} });
    const status = writeRawProblem(socket, refusalOf(error.code, limits), requestId);
    http.answered('other', 'unparsed', status, 0);
    log.info({ requestId, status, why: error.code }, 'request could not be read');
    // Whoever does not read the answer does not keep the connection either.
    socket.setTimeout(limits.headersMs, () => socket.destroy());
  };
}
