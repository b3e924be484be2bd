import assert from 'node:assert/strict';
import { createCipheriv, createHash } from 'node:crypto';

export const kibibyte = 1024;
export const mebibyte = 1024 * kibibyte;
const pieceBytes = 4 * mebibyte;

/** Bytes that follow from a label alone, and that no shift of themselves resembles. */
export function pattern(label: string, length: number): Buffer {
  const key = createHash('sha256').update(label).digest().subarray(0, 16);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** Reads and writes bytes by offset. */
export interface Bytes {
  read(offset: number, length: number): Promise<Uint8Array>;
  write(offset: number, bytes: Uint8Array): Promise<void>;
}

/** All bytes from 0 to `sizeBytes`. */
export async function readAll(bytes: Pick<Bytes, 'read'>, sizeBytes: number): Promise<Buffer> {
  const all = Buffer.alloc(sizeBytes);
  for (let offset = 0; offset < sizeBytes; offset += pieceBytes) {
    const length = Math.min(pieceBytes, sizeBytes - offset);
    const piece = await bytes.read(offset, length);
    assert.equal(piece.length, length, `a read of ${length} bytes at ${offset} answered fewer`);
    all.set(piece, offset);
  }
  return all;
}

/** Fails with the first place where two contents differ, not with megabytes of them. */
export function sameBytes(found: Uint8Array, expected: Uint8Array, what: string): void {
  assert.equal(found.length, expected.length, `${what}: its length`);
  if (Buffer.compare(found, expected) === 0) return;
  const at = found.findIndex((byte, index) => byte !== expected[index]);
  assert.fail(`${what}: byte ${at} of ${found.length} is ${found[at]} and must be ${expected[at]}`);
}

export async function holds(bytes: Pick<Bytes, 'read'>, expected: Uint8Array, what: string): Promise<void> {
  sameBytes(await readAll(bytes, expected.length), expected, what);
}

/** Writes something at the start, in the middle and to the very end; the rest stays. Answers the whole content, given the old one. */
export async function scribble(bytes: Bytes, before: Uint8Array, label: string): Promise<Buffer> {
  const content = Buffer.from(before);
  const length = Math.min(64 * kibibyte, content.length);
  const middle = Math.floor(content.length / 2 / length) * length;
  for (const offset of new Set([0, middle, content.length - length])) {
    const piece = pattern(`${label} at ${offset}`, length);
    await bytes.write(offset, piece);
    content.set(piece, offset);
  }
  return content;
}

/** Fills it whole, leaving no hole. */
export async function fill(bytes: Bytes, sizeBytes: number, label: string): Promise<Buffer> {
  const content = pattern(label, sizeBytes);
  for (let offset = 0; offset < sizeBytes; offset += pieceBytes) {
    await bytes.write(offset, content.subarray(offset, Math.min(offset + pieceBytes, sizeBytes)));
  }
  return content;
}
