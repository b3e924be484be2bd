const recentMs = 60_000;
const mostNoted = 1_000;

/** When this process has asked guests to let go of disks. */
export class RequestsNoted {
  readonly #at = new Map<string, number>();

  note(request: string): void {
    this.#at.delete(request);
    this.#at.set(request, performance.now());
    const [oldest] = this.#at.keys();
    if (this.#at.size > mostNoted && oldest !== undefined) this.#at.delete(oldest);
  }

  isRecent(request: string): boolean {
    return performance.now() - (this.#at.get(request) ?? Number.NEGATIVE_INFINITY) < recentMs;
  }
}
