const lineFeed = 0x0a;

export interface MarkedStreamEvents {
  /** What the command wrote, as it comes. */
  readonly onData: (bytes: Buffer) => void;
  /** What the session said: the words after the mark, up to the end of the line. */
  readonly onMark: (words: readonly string[]) => void;
}

/** Takes apart what a command wrote and what its session says between. */
export class MarkedStream {
  readonly #mark: Buffer;
  readonly #events: MarkedStreamEvents;
  #rest: Buffer = Buffer.alloc(0);

  constructor(mark: string, events: MarkedStreamEvents) {
    this.#mark = Buffer.from(`${mark} `);
    this.#events = events;
  }

  push(chunk: Buffer): void {
    let rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (let at = rest.indexOf(this.#mark); at >= 0; at = rest.indexOf(this.#mark)) {
      this.#tell(rest.subarray(0, at));
      rest = rest.subarray(at);
      const end = rest.indexOf(lineFeed);
      if (end < 0) {
        this.#rest = rest;
        return;
      }
      this.#events.onMark(rest.toString('utf8', this.#mark.length, end).split(' '));
      rest = rest.subarray(end + 1);
    }
    // The start of a mark may be all that came yet.
    const kept = this.#startOfMark(rest);
    this.#tell(rest.subarray(0, rest.length - kept));
    this.#rest = rest.subarray(rest.length - kept);
  }

  #startOfMark(bytes: Buffer): number {
    for (let length = Math.min(bytes.length, this.#mark.length - 1); length > 0; length--)
      if (bytes.subarray(bytes.length - length).equals(this.#mark.subarray(0, length))) return length;
    return 0;
  }

  #tell(bytes: Buffer): void {
    if (bytes.length > 0) this.#events.onData(bytes);
  }
}
