import { VbsError } from '../errors.js';

const units: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
  PIB: 2 ** 50,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  PB: 1e15,
};
const legal = 'a whole number of bytes, or a text such as "64MiB", "5GiB" or "1.5TB" (B, KiB, MiB, GiB, TiB, PiB, KB, MB, GB, TB, PB)';

function fault(code: 'INVALID_ARGUMENT' | 'OUT_OF_RANGE', field: string, value: unknown, why: string): VbsError {
  return new VbsError(code, `${field}: ${why}; it must be ${legal}`, { context: { field, value: String(value).slice(0, 40) } });
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

function bytesOfText(text: string, field: string): number {
  const match = /^([+-]?[0-9]{1,20}(?:\.[0-9]{1,12})?) ?([A-Za-z]{0,3})$/.exec(text.slice(0, 64).trim());
  const unit = units[(match?.[2] ?? '-').toUpperCase()];
  if (match === null || unit === undefined) throw fault('INVALID_ARGUMENT', field, text, 'is not a size');
  return Number(match[1]) * unit;
}

/** `bytes` rounded up to a multiple of `granularity`. @throws OUT_OF_RANGE: above 2^53 - 1. */
export function roundUp(bytes: number, granularity: number): number {
  const rounded = Math.ceil(bytes / granularity) * granularity;
  if (rounded > Number.MAX_SAFE_INTEGER) throw fault('OUT_OF_RANGE', 'size', bytes, `is more than ${Number.MAX_SAFE_INTEGER} bytes`);
  return rounded;
}
