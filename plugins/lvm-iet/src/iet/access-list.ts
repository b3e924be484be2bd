import { type Call, isVbsError, type Machine, OneAtATime, unlessCode, VbsError } from '@vbs/core';
import type { IscsiNames } from '@vbs/core/exporter-support';
import { decidingLine, type OwnLine, ownLine, ownLines, withLine, withoutLines } from './allow-file.js';
import type { IetTarget } from './parse-volumes.js';

const mostTries = 50;
const mostBytes = 16 * 1024 * 1024;
const readableByAll = 0o644;

/** Who may log in to which target: the lines of VBS in ietd's `initiators.allow`, edited so that nobody's other edit is lost. */
export class AccessList {
  readonly #turns = new OneAtATime();
  readonly #changed = new WeakSet<Call>();

  constructor(
    private readonly path: string,
    private readonly machine: Machine,
    private readonly names: IscsiNames,
    /** What the kernel has now. */
    private readonly targets: (call: Call) => Promise<readonly IetTarget[]>,
  ) {}

  hasChanged(call: Call): boolean {
    return this.#changed.has(call);
  }

  /** @throws FAILED_PRECONDITION: there is no such file, so that ietd lets everybody in. PERMISSION_DENIED. */
  async read(call: Call): Promise<string> {
    const text = await unlessCode('NOT_FOUND', this.machine.readFile(call, this.path, { maxBytes: mostBytes }));
    if (text !== undefined) return text;
    const message = `${this.path} is not there: ietd lets everybody in to every target then. Make it, with a line for each target of your own; an empty file shuts these.`;
    throw new VbsError('FAILED_PRECONDITION', message, { context: { path: this.path } });
  }

  /** @throws FAILED_PRECONDITION: there is an `initiators.deny` beside it, with which ietd lets in whom that does not name. */
  async refuseDenyFile(call: Call): Promise<void> {
    const path = this.path.replace(/[^/]*$/, 'initiators.deny');
    if ((await unlessCode('NOT_FOUND', this.machine.readFile(call, path, { maxBytes: mostBytes }))) === undefined) return;
    const message = `${path} is there: ietd then lets in everybody whom that file does not name. Remove it; no line in ${this.path} lets nobody in.`;
    throw new VbsError('FAILED_PRECONDITION', message, { context: { path } });
  }

  /** @throws FAILED_PRECONDITION: another line would decide for this target, so that ours could keep nobody out; or it cannot be edited. */
  refuseShadow(text: string, iqn: string): void {
    this.#refuseBytes(text);
    const deciding = decidingLine(withLine(text, ownLine(text, iqn) ?? probe(iqn)), iqn);
    if (deciding === undefined || 'own' in deciding) return;
    const message = `Line ${deciding.number} of ${this.path} (${JSON.stringify(deciding.foreign.slice(0, 120))}) decides for ${iqn} before the line of VBS does. Put a line "# vbs" above it, with the lines of VBS, or let it name your own targets.`;
    throw new VbsError('FAILED_PRECONDITION', message, { context: { path: this.path, line: deciding.number } });
  }

  /**
   * Durable when it ends. @throws FAILED_PRECONDITION: the export was revoked, or another line would decide for what is to be opened.
   * @throws ABORTED: a higher epoch was seen, or others edit the file without end.
   */
  async set(call: Call, exportId: string, line: OwnLine): Promise<void> {
    const { iqn, state } = line;
    await this.#edit(call, exportId, iqn, (text) => {
      if (state !== 'revoked' && ownLine(text, iqn)?.state === 'revoked') throw revoked(exportId);
      if (state === 'open') this.refuseShadow(text, iqn);
      return withLine(text, line);
    });
  }

  async remove(call: Call, exportId: string, iqn: string): Promise<void> {
    await this.#edit(call, exportId, iqn, (text) => withoutLines(text, new Set([iqn])));
  }

  /** What could not be read would be written back as something else. */
  #refuseBytes(text: string): void {
    if (!text.includes('\uFFFD')) return;
    const message = `${this.path} holds bytes that are no UTF-8, which an edit would not keep: write these lines in UTF-8.`;
    throw new VbsError('FAILED_PRECONDITION', message, { context: { path: this.path } });
  }

  /** Turns of this process, so that it does not fight itself; `ifStill` against everybody else of VBS. */
  async #edit(call: Call, exportId: string, iqn: string, change: (text: string) => string): Promise<void> {
    await this.#turns.run(this.path, async () => {
      for (let attempt = 0; attempt < mostTries; attempt++) {
        const text = await this.read(call);
        this.#refuseBytes(text);
        const wanted = change(text);
        if (wanted === text) return;
        const pruned = withoutLines(wanted, await this.#leftovers(call, wanted, iqn));
        try {
          await this.machine.writeFile(call, this.path, pruned, { guard: exportId, mode: readableByAll, ifStill: text });
          this.#changed.add(call);
          return;
        } catch (error) {
          if (!isVbsError(error) || error.code !== 'ABORTED') throw error;
          // Not because of the file, but of the guard.
          if ((await this.read(call)) === text) throw error;
        }
      }
      throw new VbsError('ABORTED', `${this.path} was changed by somebody else ${mostTries} times in a row; try again.`, {
        resource: exportId,
        context: { path: this.path },
      });
    });
  }

  /** Lines of exports that were taken away by who died before its last act. The text is older than the look: a target is made before it is closed. */
  async #leftovers(call: Call, text: string, but: string): Promise<ReadonlySet<string>> {
    const closing = ownLines(text).filter(({ iqn, state }) => state === 'closing' && iqn !== but && this.names.exportId(iqn) !== undefined);
    if (closing.length === 0) return new Set();
    const there = new Set((await this.targets(call)).map(({ iqn }) => iqn));
    return new Set(closing.map(({ iqn }) => iqn).filter((iqn) => !there.has(iqn)));
  }
}

export function revoked(exportId: string): VbsError {
  const message = `Access to the export ${exportId} was revoked; it is never opened again. Delete it.`;
  return new VbsError('FAILED_PRECONDITION', message, { resource: exportId });
}

function probe(iqn: string): OwnLine {
  return { iqn, state: 'making', mode: 'rw', serial: '0', admitted: [] };
}
