import { type ErrorCode, toVbsError, VbsError } from '@vbs/core';
import { mapText, shortened } from '../map-error.js';
import type { ApiAnswer } from './transport.js';

/** pveproxy's own: the node, or the daemon behind it, does not answer. */
const unreachable = [502, 503, 504, 595, 596, 599];

/** What an answer carries. @throws INTERNAL: it is not what the API answers. */
export function answerOf(request: string, { body }: ApiAnswer): unknown {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null && 'data' in parsed) return parsed.data;
  } catch (cause) {
    throw new VbsError('INTERNAL', `${request} was not answered in JSON (${toVbsError(cause).message}): is there a Proxmox VE API?`, {
      cause,
    });
  }
  throw new VbsError('INTERNAL', `${request} was answered without data: is there a Proxmox VE API?`);
}

/** An answer that is no success, as the error that tells most. */
export function apiError(request: string, answer: ApiAnswer): VbsError {
  // The message is often the status line's own text.
  const text = [...new Set([answer.reason, ...detailsOf(answer.body)].map((line) => line.trim()))].join('\n');
  const context = { request, status: answer.status };
  const mapped = mapText(text, context);
  if (mapped !== undefined) return mapped;
  const told = `${request} was answered with ${answer.status} (${shortened(text)}).`;
  return new VbsError(codeOf(answer.status), told, { context });
}

function codeOf(status: number): ErrorCode {
  if (status === 401) return 'UNAUTHENTICATED';
  if (status === 403) return 'PERMISSION_DENIED';
  if (status === 400) return 'INVALID_ARGUMENT';
  return unreachable.includes(status) ? 'UNAVAILABLE' : 'INTERNAL';
}

/** `{"data":null,"errors":{"scsi1":"…"},"message":"…"}`; whatever else stands there is no text of the API. */
function detailsOf(body: string): readonly string[] {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== 'object' || parsed === null) return [];
    const message = 'message' in parsed && typeof parsed.message === 'string' ? [parsed.message] : [];
    const errors = 'errors' in parsed && typeof parsed.errors === 'object' && parsed.errors !== null ? Object.entries(parsed.errors) : [];
    return [...message, ...errors.map(([field, why]) => `${field}: ${String(why)}`)];
  } catch {
    // Not every 5xx is the API's own, and the status says enough then.
    return [];
  }
}
