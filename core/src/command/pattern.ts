import { VbsError } from '../errors.js';

/** A stretch of a word: as it stands, or the name of a value that comes in its place. */
export type PatternPart = { readonly literal: string } | { readonly placeholder: string };

/** A command pattern, split once: into words at white space, each of literals and placeholders. */
export interface CommandPattern {
  readonly words: readonly (readonly PatternPart[])[];
  readonly placeholders: ReadonlySet<string>;
}

const partOf = /<([^<>]*)>|([^<>]+)|[<>]/gu;
const placeholderName = /^[A-Za-z][A-Za-z0-9]*$/;

/**
 * Splits a pattern. Quotes and backslashes have no meaning: there is no shell.
 * @throws INVALID_ARGUMENT: what is wrong, naming `name` and the pattern.
 */
export function parsePattern(name: string, pattern: string): CommandPattern {
  const fail = (what: string): never => {
    const message = `The command pattern ${JSON.stringify(name)}, ${JSON.stringify(pattern)}, ${what}.`;
    throw new VbsError('INVALID_ARGUMENT', message, { context: { field: name, pattern } });
  };
  const words = pattern
    .split(/\s+/u)
    .filter((word) => word !== '')
    .map((word) => parseWord(word, fail));
  const tool = words[0]?.[0];
  if (tool === undefined) return fail('is empty: it begins with the tool');
  if (!('literal' in tool) || words[0]?.length !== 1) return fail('must begin with the tool itself, not with a placeholder');
  if (tool.literal.startsWith('-')) fail('begins with an option: the tool comes first');
  if (tool.literal.includes('/') && !tool.literal.startsWith('/'))
    fail('must name the tool by an absolute path, or by a name that is in PATH');
  const placeholders = words.flat().flatMap((part) => ('placeholder' in part ? [part.placeholder] : []));
  return { words, placeholders: new Set(placeholders) };
}

function parseWord(word: string, fail: (what: string) => never): readonly PatternPart[] {
  // Halves of a surrogate pair too: no argument can carry them.
  if (/[\p{Cc}\p{Cs}]/u.test(word)) fail('holds a control character');
  return [...word.matchAll(partOf)].map(([text, placeholder, literal]) => {
    if (literal !== undefined) return { literal };
    if (placeholder === undefined) return fail(`has a lone ${JSON.stringify(text)}: a placeholder is written <name>`);
    if (!placeholderName.test(placeholder)) return fail(`has the placeholder ${text}: a name is a letter and then letters and digits`);
    return { placeholder };
  });
}
