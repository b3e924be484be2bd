import { VbsError } from '../errors.js';
import { hiddenCharacters, withoutHidden } from './shown.js';

/** The most bytes of UTF-8 that a comment may have. */
export const maxCommentBytes = 1024;

function invalid(field: string, why: string): VbsError {
  return new VbsError('INVALID_ARGUMENT', `${field} ${why}`, { context: { field } });
}

/** A one-line text of bounded length. @throws INVALID_ARGUMENT */
export function requireText(
  value: unknown,
  field: string,
  { maxBytes, allowEmpty = false }: { maxBytes: number; allowEmpty?: boolean },
): string {
  if (typeof value !== 'string') throw invalid(field, 'must be a text');
  if (!allowEmpty && value === '') throw invalid(field, 'must not be empty');
  if (value.length > maxBytes || Buffer.byteLength(value) > maxBytes) throw invalid(field, `must have at most ${maxBytes} bytes`);
  if (hiddenCharacters.test(value)) throw invalid(field, 'must not have control characters, or marks that turn the direction of writing');
  return value;
}

export function optionalComment(value: unknown): string | null {
  return value === undefined || value === null ? null : requireText(value, 'comment', { maxBytes: maxCommentBytes, allowEmpty: true });
}

/** A name as people write hosts, VMs and instances: letters, digits and `. _ - : @`, no white space or slash, at most 255 bytes. */
export function requireName(value: unknown, field: string): string {
  const text = requireText(value, field, { maxBytes: 255 });
  if (!/^[A-Za-z0-9][A-Za-z0-9._:@-]*$/.test(text))
    throw invalid(field, 'must be letters, digits and . _ : @ -, and begin with a letter or digit');
  return text;
}

/** A device as people write it (`xvdb`, `/dev/vdb`, `51728`, `scsi1`); the hypervisor says whether it is one. */
export function requireDevice(value: unknown): string {
  const text = requireText(value, 'device', { maxBytes: 64 });
  if (!/^(\/dev\/)?[A-Za-z0-9][A-Za-z0-9:]*$/.test(text))
    throw invalid('device', 'must be a device name such as xvdb or /dev/xvdb: letters, digits and colons');
  return text;
}

/** Refuses keys that the request does not have, so that a misspelt field never goes unseen. @throws INVALID_ARGUMENT */
export function requireFields(request: unknown, fields: readonly string[], what: 'request' | 'options' = 'request'): void {
  if (typeof request !== 'object' || request === null || Array.isArray(request)) throw invalid(what, 'must be an object');
  const unknownField = Object.keys(request).find((key) => !fields.includes(key));
  if (unknownField === undefined) return;
  throw invalid(withoutHidden(unknownField), `is not a field of this call's ${what}; there are ${fields.join(', ')}`);
}
