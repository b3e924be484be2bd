import { isSecret } from '../contract/secret.js';

/** A value as the journal's text. @throws TypeError: a Secret is in it (safety E5), which must never reach the database. */
export function toJournalText(value: unknown): string {
  return JSON.stringify(value, function (this: unknown, key: string, item: unknown) {
    if (isSecret((this as Record<string, unknown>)[key])) throw new TypeError(`a secret must not be journalled (key "${key}")`);
    return item;
  });
}

/** What {@link toJournalText} wrote; null where nothing was written. */
export function fromJournalText<T>(text: string): T {
  return JSON.parse(text) as T;
}

export function fromNullableText<T>(text: string | null): T | null {
  return text === null ? null : fromJournalText<T>(text);
}
