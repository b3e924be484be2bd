/**
 * The text of ietd's `initiators.allow`: `<IQN or ALL> <white space> <comma list>` a line. The first line for a target decides; no line
 * means that nobody is let in; a comment begins with #; a last line without its newline is ignored. ietd reads it at each login.
 */

/**
 * What a line of ours means. `open`: whom it names is let in. Nobody is let in by the others: the export is being made, is being
 * taken away, or was revoked and is never opened again.
 */
export type LineState = 'open' | 'making' | 'closing' | 'revoked';

/** A line that VBS wrote. It also keeps what the kernel does not tell of an export. */
export interface OwnLine {
  readonly iqn: string;
  readonly state: LineState;
  readonly mode: 'ro' | 'rw';
  readonly serial: string;
  /** As `initiatorEntry` makes them, or ALL; only of an open line. */
  readonly admitted: readonly string[];
}

/** A line of a target that VBS wrote, or anybody's other line that decides for a target. */
export type Deciding = { readonly own: OwnLine } | { readonly foreign: string; readonly number: number };

/** Where new lines of VBS go: above this comment, or at the end where there is none. */
export const marker = '# vbs';

/**
 * ietd takes an entry with a bracket that is never closed for an address that nobody has, and looks no further: the last entry of each
 * line of ours, and the only one of those that let nobody in.
 */
const tail = /^\[vbs-(?<state>open|making|closing|revoked)-(?<mode>ro|rw)-(?<serial>[A-Za-z0-9-]{1,16})$/;

/** ietd's buffer for a line has 4096 bytes. */
export const longestLine = 4_000;

/** An initiator's name as ietd wants it: a basic regular expression, which it anchors itself. Names have no special character but the dot. */
export function initiatorEntry(name: string): string {
  return name.replaceAll('.', '\\.');
}

export function writtenLine({ iqn, state, mode, serial, admitted }: OwnLine): string {
  return `${iqn} ${[...(state === 'open' ? admitted : []), `[vbs-${state}-${mode}-${serial}`].join(',')}`;
}

/** The line that ietd goes by for a target; undefined where there is none, so that nobody is let in. */
export function decidingLine(text: string, iqn: string): Deciding | undefined {
  for (const [index, line] of terminated(text).entries()) {
    if (!concerns(line, iqn)) continue;
    const own = ownLineOf(line);
    return own === undefined ? { foreign: line, number: index + 1 } : { own };
  }
  return undefined;
}

/** Our line of a target, also where a line above it decides. */
export function ownLine(text: string, iqn: string): OwnLine | undefined {
  for (const line of terminated(text)) {
    const own = ownLineOf(line);
    if (own?.iqn === iqn) return own;
  }
  return undefined;
}

export function ownLines(text: string): readonly OwnLine[] {
  return terminated(text).flatMap((line) => ownLineOf(line) ?? []);
}

/** The text with this line in the place of the one that we had for the target, or as a new one; every other line stays as it is. */
export function withLine(text: string, line: OwnLine): string {
  const written = writtenLine(line);
  const lines = terminated(text);
  const at = lines.findIndex((one) => ownLineOf(one)?.iqn === line.iqn);
  if (at >= 0) return joined(lines.with(at, written), text);
  const before = lines.findIndex((one) => one.trim() === marker);
  return joined(lines.toSpliced(before < 0 ? lines.length : before, 0, written), text);
}

export function withoutLines(text: string, iqns: ReadonlySet<string>): string {
  const kept = terminated(text).filter((line) => {
    const own = ownLineOf(line);
    return own === undefined || !iqns.has(own.iqn);
  });
  return joined(kept, text);
}

/** What stands behind the last newline counts for nothing with ietd, and is not made to count by adding to it. */
function terminated(text: string): readonly string[] {
  return text.split('\n').slice(0, -1);
}

function joined(lines: readonly string[], text: string): string {
  return `${lines.map((line) => `${line}\n`).join('')}${text.slice(text.lastIndexOf('\n') + 1)}`;
}

function concerns(line: string, iqn: string): boolean {
  const [, target] = /^\s*(\S+)\s/.exec(line) ?? [];
  if (target === undefined || target.startsWith('#')) return false;
  return target.toUpperCase() === 'ALL' || target.toLowerCase() === iqn.toLowerCase();
}

function ownLineOf(line: string): OwnLine | undefined {
  const [, iqn, list] = /^(\S+) (\S+)$/.exec(line) ?? [];
  const entries = list?.split(',') ?? [];
  const { state, mode, serial } = tail.exec(entries.at(-1) ?? '')?.groups ?? {};
  if (iqn === undefined || state === undefined || serial === undefined) return undefined;
  return { iqn, state: state as LineState, mode: mode === 'ro' ? 'ro' : 'rw', serial, admitted: entries.slice(0, -1) };
}
