/** Everything that could move a terminal's cursor, split a log line, turn its direction, or hide in one. */
const hidden = /[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]/gu;

/** The same text with its hidden characters written out as `\u202e`: what a caller sent is shown to others too. */
export function withoutHidden(text: string): string {
  return text.replace(hidden, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
