/** Sizes are these bytes times a power of two, and room for the head of a reply. */
const leastBytes = 4096;
const headRoom = 64;
/** What lies unused at most, in all sizes together. */
const mostUnusedBytes = 32 * 1024 * 1024;

/**
 * Buffers that are used again: fresh memory costs a page fault for each 4 KiB, which for large requests is many times the work of
 * carrying the bytes. Who takes one gives it back when nothing reads or writes it any more, or leaves it to the garbage collector.
 */
class BufferPool {
  readonly #unused = new Map<number, ArrayBuffer[]>();
  #unusedBytes = 0;

  /** A buffer of `length` bytes with anything in it. */
  take(length: number): Buffer {
    const bytes = sizeFor(length);
    const memory = this.#unused.get(bytes)?.pop();
    if (memory === undefined) return Buffer.from(new ArrayBuffer(bytes), 0, length);
    this.#unusedBytes -= bytes;
    return Buffer.from(memory, 0, length);
  }

  /** A part of a buffer that was taken gives back the whole. */
  give({ buffer }: Buffer): void {
    const bytes = buffer.byteLength;
    if (!(buffer instanceof ArrayBuffer) || this.#unusedBytes + bytes > mostUnusedBytes) return;
    const alike = this.#unused.get(bytes);
    if (alike === undefined) this.#unused.set(bytes, [buffer]);
    else alike.push(buffer);
    this.#unusedBytes += bytes;
  }
}

function sizeFor(length: number): number {
  let bytes = leastBytes;
  while (bytes + headRoom < length) bytes *= 2;
  return bytes + headRoom;
}

/** Of all connections of this process. */
export const buffers = new BufferPool();
