import { VbsError } from '@vbs/core';
import { errorValue, option, optionReply } from '../protocol/constants.js';

/** What a refused request was, for its error. */
export interface RequestFacts {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
  readonly sizeBytes: number;
}

/** The error for a request that the server answered with an error value. */
export function requestError(value: number, { name, offset, length, sizeBytes }: RequestFacts): VbsError {
  const context = { request: name, offset, length, sizeBytes, nbdError: value };
  const what = `${name} of ${length} bytes at ${offset}`;
  if ((value === errorValue.EINVAL || value === errorValue.ENOSPC) && offset + length > sizeBytes) {
    return new VbsError('OUT_OF_RANGE', `${what} ends beyond the export's ${sizeBytes} bytes`, {
      context: { ...context, field: 'offset' },
    });
  }
  switch (value) {
    case errorValue.EPERM:
      return new VbsError('PERMISSION_DENIED', `${what}: the export is read-only, or the server may not do it`, { context });
    case errorValue.EINVAL:
      return new VbsError('INVALID_ARGUMENT', `${what}: the server does not take such a request`, { context });
    case errorValue.EOVERFLOW:
      return new VbsError('OUT_OF_RANGE', `${what} is too large for the server`, { context });
    case errorValue.ENOSPC:
      return new VbsError('RESOURCE_EXHAUSTED', `${what}: the server's disk is full`, { context });
    case errorValue.ENOMEM:
      return new VbsError('RESOURCE_EXHAUSTED', `${what}: the server has no memory left`, { context });
    case errorValue.ENOTSUP:
      return new VbsError('UNSUPPORTED', `${what}: the server has no fast way`, { context });
    case errorValue.ESHUTDOWN:
      return new VbsError('UNAVAILABLE', `${what}: the server is shutting down`, { context });
    default:
      return new VbsError('INTERNAL', `${what} failed on the server's medium (NBD error ${value})`, { context });
  }
}

/** The error for an option that the server refused. */
export function optionError(asked: number, type: number, exportName: string, message: string): VbsError {
  const context = { exportName, replyType: type, message };
  const said = message === '' ? '' : `: ${message}`;
  if (asked === option.starttls)
    return new VbsError('UNSUPPORTED', `the server has no TLS${said}: use nbd: if it may go in the clear`, { context });
  if (type === optionReply.errTlsReqd) {
    return new VbsError('UNAUTHENTICATED', `the server wants TLS${said}: use nbds: and give "tls"`, { context });
  }
  if (type === optionReply.errUnknown)
    return new VbsError('NOT_FOUND', `the server has no export ${JSON.stringify(exportName)}${said}`, { context });
  if (type === optionReply.errPolicy)
    return new VbsError('PERMISSION_DENIED', `the server lets nobody into ${JSON.stringify(exportName)}${said}`, { context });
  if (type === optionReply.errShutdown) return new VbsError('UNAVAILABLE', `the server is shutting down${said}`, { context });
  return new VbsError('UNSUPPORTED', `the server refused the negotiation (${type.toString(16)})${said}`, { context });
}

/** A server that speaks something else than this protocol, or breaks it. */
export function protocolError(message: string): VbsError {
  return new VbsError('UNAVAILABLE', `the NBD server broke the protocol: ${message}`);
}
