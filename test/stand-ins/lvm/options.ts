import type { ToolResult } from '../frame/tool.js';

/** What a tool takes: each option by its long name, with its letter and whether a value follows. */
export type OptionTable = Readonly<Record<string, { readonly letter?: string; readonly value?: true }>>;

export interface ParsedOptions {
  /** In the order in which they came; '' for one that takes no value. */
  readonly given: readonly (readonly [name: string, value: string])[];
  readonly words: readonly string[];
}

/** Ends a tool as it would end itself. */
export class ToolExit extends Error {
  constructor(readonly result: ToolResult) {
    super(result.stderr ?? '');
  }
}

/** LVM's own exit codes: 5 for whatever fails, 3 for a wrong command line. */
export function lvmFailure(...lines: readonly string[]): ToolExit {
  return new ToolExit({ exitCode: 5, stderr: lines.map((line) => `  ${line}\n`).join('') });
}

export function lvmUsage(...lines: readonly string[]): ToolExit {
  return new ToolExit({ exitCode: 3, stderr: [...lines, '  Error during parsing of command line.'].map((line) => `${line}\n`).join('') });
}

/** As getopt_long(3), without its abbreviations. @throws ToolExit: an option that the tool does not know. */
export function parseOptions(tool: string, args: readonly string[], table: OptionTable, unknown = lvmUsage): ParsedOptions {
  const byLetter = new Map(Object.entries(table).flatMap(([name, { letter }]) => (letter === undefined ? [] : [[letter, name] as const])));
  const given: (readonly [string, string])[] = [];
  const words: string[] = [];
  const rest = [...args];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '-' || !word.startsWith('-')) {
      words.push(word);
      continue;
    }
    const long = word.startsWith('--');
    const [spelt = '', joined] = long ? split(word.slice(2)) : [word[1] ?? '', word.length > 2 ? word.slice(2) : undefined];
    const name = long ? spelt : byLetter.get(spelt);
    const option = name === undefined || !Object.hasOwn(table, name) ? undefined : table[name];
    if (name === undefined || option === undefined) {
      throw unknown(long ? `${tool}: unrecognized option '--${spelt}'` : `${tool}: invalid option -- '${spelt}'`);
    }
    if (option.value !== true) {
      if (joined !== undefined) throw unknown(`${tool}: option '--${name}' doesn't allow an argument`);
      given.push([name, '']);
      continue;
    }
    const value = joined ?? rest.shift();
    if (value === undefined) throw unknown(`${tool}: option '--${name}' requires an argument`);
    given.push([name, value]);
  }
  return { given, words };
}

/** The last value of an option; undefined where it was not given. */
export function lastOf({ given }: ParsedOptions, name: string): string | undefined {
  return given.filter(([one]) => one === name).at(-1)?.[1];
}

export function allOf({ given }: ParsedOptions, name: string): readonly string[] {
  return given.flatMap(([one, value]) => (one === name ? [value] : []));
}

function split(text: string): [string, string | undefined] {
  const at = text.indexOf('=');
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

const units: Readonly<Record<string, number>> = { b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/** A size of LVM in bytes: `m` where no unit is told. */
export function parseLvmSize(option: string, text: string): number {
  const [, digits, unit] = /^\+?([0-9]+(?:\.[0-9]+)?)([bkmgtBKMGT]?)$/.exec(text) ?? [];
  if (digits === undefined) throw lvmUsage(`  Invalid argument for --${option}: ${text}`);
  const bytes = Number(digits) * (units[(unit || 'm').toLowerCase()] ?? 1);
  if (unit === 'b' && bytes % 512 !== 0) {
    const below = bytes - (bytes % 512);
    throw lvmUsage(`  Size is not a multiple of 512. Try using ${below} or ${below + 512}.`, `  Invalid argument for --${option}: ${text}`);
  }
  return bytes;
}

const tagSyntax = /^[A-Za-z0-9_+.\-/=!:#&]{1,1024}$/;

export function requireTag(option: 'addtag' | 'deltag', tag: string): string {
  if (!tagSyntax.test(tag)) throw lvmUsage(`  Invalid argument for --${option}: ${tag}`);
  return tag;
}
