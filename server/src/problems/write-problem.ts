import type { ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { commonHeaders } from '../answers/common-headers.js';
import { problemOf, problemType } from './problem.js';

function partsOf(thrown: unknown, requestId: string) {
  const { status, headers, body } = problemOf(thrown, requestId);
  const text = JSON.stringify(body);
  return {
    status,
    text,
    headers: {
      ...commonHeaders,
      'x-request-id': requestId,
      'content-type': problemType,
      'content-length': String(Buffer.byteLength(text)),
      ...headers,
      connection: 'close',
    },
  };
}

/** Answers a problem where no route is there to do it, and closes the connection. Answers its status. */
export function writeProblem(response: ServerResponse, thrown: unknown, requestId: string): number {
  const { status, headers, text } = partsOf(thrown, requestId);
  response.writeHead(status, headers).end(text);
  return status;
}

/** The same on a connection whose request could not be parsed. */
export function writeRawProblem(socket: Duplex, thrown: unknown, requestId: string): number {
  const { status, headers, text } = partsOf(thrown, requestId);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${text}`);
  return status;
}
