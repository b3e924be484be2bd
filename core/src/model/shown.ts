/** Everything that could move a terminal's cursor, split a log line, turn its direction, or hide in one. */
export const hiddenCharacters = /[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]/u;

const everyHiddenCharacter = new RegExp(hiddenCharacters, 'gu');
const mostCharacters = 40;

/** What a caller gave, as a message may show it: cut to 40 characters, hidden ones written out. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `"${withoutHidden(value)}"`;
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : withoutHidden(String(value));
}

/** A text cut to 40 characters, its hidden ones written out as `\u202e`. */
export function withoutHidden(text: string): string {
  const [...characters] = text.slice(0, 2 * mostCharacters);
  const cut = characters.slice(0, mostCharacters).join('');
  return cut.replace(everyHiddenCharacter, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
