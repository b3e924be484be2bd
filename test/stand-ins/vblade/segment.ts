/** What one vblade shows on a segment. As on a real one, two may show the same shelf.slot. */
export interface SegmentExport {
  readonly shelf: number;
  readonly slot: number;
  /** The path on the machine that vblade was given, and where its bytes lie for this process. */
  readonly path: string;
  readonly file: string;
  readonly readOnly: boolean;
  /** Of 512 bytes. */
  readonly sectors: number;
  /** Who is answered, each 12 lower-case hex digits; empty: everybody. */
  readonly masks: readonly string[];
  /** The network interface of the machine of vblade. */
  readonly netif: string;
  /** As ATA IDENTIFY shows it: `X.Y:hostname`, at most 20 characters. */
  readonly serial: string;
  /** Whose it is: vblade's process id. */
  readonly pid: number;
}

/** One Ethernet segment: what its vblades export, for those who stand in for vblade and for the initiator's kernel and tools. */
export class AoeSegment {
  readonly #exports = new Set<SegmentExport>();
  readonly #listeners = new Set<() => void>();

  /** In the order in which they came. */
  exports(): readonly SegmentExport[] {
    return [...this.#exports];
  }

  /** What an initiator with this address finds. */
  seenBy(mac: string): readonly SegmentExport[] {
    const plain = macDigits(mac);
    return this.exports().filter(({ masks }) => masks.length === 0 || masks.includes(plain));
  }

  /** Answers how to take it away again. */
  announce(shown: SegmentExport): () => void {
    this.#exports.add(shown);
    this.#tell();
    return () => {
      if (this.#exports.delete(shown)) this.#tell();
    };
  }

  /** Calls the listener after each change; answers how to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** An Ethernet address as 12 lower-case hex digits. */
export function macDigits(mac: string): string {
  return mac.replaceAll(/[:-]/g, '').toLowerCase();
}
