import { VbsError } from '../errors.js';
import { shown } from './shown.js';

const units: Readonly<Record<string, bigint>> = {
  '': 1n,
  B: 1n,
  KIB: 2n ** 10n,
  MIB: 2n ** 20n,
  GIB: 2n ** 30n,
  TIB: 2n ** 40n,
  PIB: 2n ** 50n,
  KB: 10n ** 3n,
  MB: 10n ** 6n,
  GB: 10n ** 9n,
  TB: 10n ** 12n,
  PB: 10n ** 15n,
};
const longestText = 64;
const legal = 'a whole number of bytes, or a text such as "64MiB", "5GiB" or "1.5TB" (B, KiB, MiB, GiB, TiB, PiB, KB, MB, GB, TB, PB)';

function fault(code: 'INVALID_ARGUMENT' | 'OUT_OF_RANGE', field: string, value: unknown, why: string): VbsError {
  return new VbsError(code, `${field}: ${why}; it must be ${legal}`, { context: { field, value: shown(value) } });
}

/**
 * A size in bytes, from a number of bytes or a text with a unit (upper or lower case).
 * @throws INVALID_ARGUMENT: no size. OUT_OF_RANGE: 0, negative, or above 2^53 - 1 bytes.
 */
export function parseSize(value: unknown, field = 'size'): number {
  const bytes = typeof value === 'string' ? bytesOfText(value, field) : value;
  if (typeof bytes !== 'number' || Number.isNaN(bytes)) throw fault('INVALID_ARGUMENT', field, value, 'is not a size');
  if (bytes <= 0) throw fault('OUT_OF_RANGE', field, value, 'must be more than 0 bytes');
  if (bytes > Number.MAX_SAFE_INTEGER) throw fault('OUT_OF_RANGE', field, value, `is more than ${Number.MAX_SAFE_INTEGER} bytes`);
  if (!Number.isInteger(bytes)) throw fault('INVALID_ARGUMENT', field, value, 'is not a whole number of bytes');
  return bytes;
}

/** Counts in whole numbers, for binary fractions would miss decimal ones: 1.005 × 1000 is not 1005. */
function bytesOfText(text: string, field: string): number {
  const match = text.length > longestText ? null : /^([+-]?)([0-9]{1,20})(?:\.([0-9]{1,12}))? ?([A-Za-z]{0,3})$/.exec(text.trim());
  const [, sign, whole = '', fraction = '', name = '-'] = match ?? [];
  const unit = units[name.toUpperCase()];
  if (unit === undefined) throw fault('INVALID_ARGUMENT', field, text, 'is not a size');
  const parts = 10n ** BigInt(fraction.length);
  const scaled = BigInt(whole + fraction) * unit;
  if (scaled % parts !== 0n) throw fault('INVALID_ARGUMENT', field, text, 'is not a whole number of bytes');
  return Number(sign === '-' ? -scaled / parts : scaled / parts);
}

/** `bytes` rounded up to a multiple of `granularity`. @throws OUT_OF_RANGE: above 2^53 - 1. */
export function roundUp(bytes: number, granularity: number): number {
  const rounded = Math.ceil(bytes / granularity) * granularity;
  if (rounded > Number.MAX_SAFE_INTEGER) throw fault('OUT_OF_RANGE', 'size', bytes, `is more than ${Number.MAX_SAFE_INTEGER} bytes`);
  return rounded;
}
