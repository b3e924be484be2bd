// A block ```sh run holds `$ ` commands, each with the output that it gives below (none: only the exit counts); all blocks of a page are one session.
// A line goes on after `\` or with `> `; `# exit N` at a command's end is the exit it has; `…` is any text, alone on a line any lines; JSON counts
// whatever its layout, times and ports are any; an id that the page shows stands for the one met there, also in later commands.
import { blocksOf } from './markdown.js';

/** One command of a page, and what the page says that it does. */
export interface ShellExample {
  /** Of the page, from 1. */
  readonly line: number;
  readonly command: string;
  /** Undefined where the page shows none. */
  readonly output: string | undefined;
  readonly exit: number;
}

/** The ids that a page shows, and those that really came. */
export type Ids = ReadonlyMap<string, string>;

const idPattern = /\b(?:vol|snap|att|exp|op)-[0-9a-f]{17}\b/;
const address = /\b(?:127\.0\.0\.1|localhost):\d+\b/;

/** The commands of a page's blocks `sh run`, in order. @throws Error: a block does not begin with a command. */
export function shellExamples(markdown: string): readonly ShellExample[] {
  return blocksOf(markdown)
    .filter(({ info: [language, role] }) => language === 'sh' && role === 'run')
    .flatMap(({ text, line }) => examplesOf(text.trimEnd().split('\n'), line + 1));
}

function examplesOf(lines: readonly string[], first: number): ShellExample[] {
  const examples: { line: number; command: string; output: string[] }[] = [];
  let goesOn = false;
  for (const [index, line] of lines.entries()) {
    const last = examples.at(-1);
    if (goesOn || (last?.output.length === 0 && line.startsWith('> '))) {
      if (last !== undefined) last.command += `\n${goesOn ? line : line.slice(2)}`;
    } else if (line.startsWith('$ ')) examples.push({ line: first + index, command: line.slice(2), output: [] });
    else if (last !== undefined) last.output.push(line);
    else throw new Error(`line ${first + index}: a block of shell begins with "$ "`);
    goesOn = (goesOn || line.startsWith('$ ') || line.startsWith('> ')) && line.endsWith('\\');
  }
  return examples.map(({ line, command, output }) => ({
    line,
    command,
    output: output.join('\n').trim() === '' ? undefined : output.join('\n'),
    exit: Number(/\s#\s*exit (\d+)\s*$/.exec(command)?.[1] ?? 0),
  }));
}

/** The address that a page gives its server: the first one of its commands. */
export function pageAddress(examples: readonly ShellExample[]): string | undefined {
  return examples.map(({ command }) => address.exec(command)?.[0]).find((found) => found !== undefined);
}

/** A command as it is run: with the ids that were met, and the server's real address. */
export function realCommand(command: string, ids: Ids, addresses: { readonly shown: string | undefined; readonly real: string }): string {
  const withIds = command.replaceAll(new RegExp(idPattern, 'g'), (id) => ids.get(id) ?? id);
  return addresses.shown === undefined ? withIds : withIds.replaceAll(addresses.shown, addresses.real);
}

/** The ids that are known once an output was met; undefined when it is not what the page shows. */
export function matchOutput(shown: string, real: string, ids: Ids): Ids | undefined {
  const names: string[] = [];
  const match = new RegExp(`^${patternOf(plain(shown), ids, names)}$`).exec(plain(real));
  if (match === null) return undefined;
  return new Map([...ids, ...names.map((name, index): [string, string] => [name, match[index + 1] ?? ''])]);
}

/** Without what does not count: carriage returns, blanks at the ends of lines, and the layout of JSON. */
function plain(text: string): string {
  const lines = text.replaceAll('\r', '').split('\n');
  const json = lines.findIndex((line) => /^[[{]/.test(line));
  const before = (json === -1 ? lines : lines.slice(0, json)).map((line) => line.trimEnd());
  const tight = (json === -1 ? [] : lines.slice(json)).join('\n').replaceAll(/("(?:[^"\\]|\\.)*")|\s+/g, '$1');
  return [...before, ...(json === -1 ? [] : [tight])].join('\n').trim();
}

/** As in JSON, and as in tables. */
const time = String.raw`\d{4}-\d\d-\d\d[T ][\d:.]+Z`;

const places = new RegExp(
  [
    `(?<id>${idPattern.source})`,
    String.raw`(?<lines>(?<=^|\n)…(?:\n|$))`,
    '(?<any>…)',
    `(?<time>${time})`,
    `(?<address>${address.source})`,
    '(?<blanks> {2,})',
  ].join('|'),
  'g',
);

/** The shown text as a regular expression; each id that is met for the first time is a group, and goes to `names`. */
function patternOf(shown: string, ids: Ids, names: string[]): string {
  const parts: string[] = [];
  let end = 0;
  for (const match of shown.matchAll(places)) {
    parts.push(literal(shown.slice(end, match.index)), placePattern(match[0], match.groups ?? {}, ids, names));
    end = match.index + match[0].length;
  }
  return [...parts, literal(shown.slice(end))].join('');
}

function placePattern(text: string, groups: Readonly<Record<string, string | undefined>>, ids: Ids, names: string[]): string {
  if (groups.id !== undefined) return idGroup(text, ids, names);
  if (groups.lines !== undefined) return String.raw`(?:[^\n]*(?:\n|$))*?`;
  if (groups.any !== undefined) return String.raw`[^\n]*?`;
  if (groups.time !== undefined) return time;
  return groups.address === undefined ? ' {2,}' : address.source;
}

function idGroup(id: string, ids: Ids, names: string[]): string {
  const known = ids.get(id);
  if (known !== undefined) return literal(known);
  const met = names.indexOf(id);
  if (met !== -1) return `\\${met + 1}(?!\\d)`;
  names.push(id);
  return `(${id.slice(0, id.indexOf('-'))}-[0-9a-f]{17})`;
}

function literal(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
}
