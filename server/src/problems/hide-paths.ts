import { withoutHidden } from './hidden-characters.js';

/** Two names or more behind slashes, where a text begins or after a space, a quote or a bracket. */
const absolutePath = /(?<![^\s"'`(=:,[])\/(?!dev\/|v1\/|docs\/)[^\s/"'`,;:()]+(?:\/[^\s"'`,;:()]*)+/g;

/** The same text with the files of this machine left out; devices and the server's own paths stay. */
export function withoutPaths(text: string): string {
  return text.includes('/') ? text.replace(absolutePath, '(path)') : text;
}

/** The same plain data with {@link withoutPaths} and {@link withoutHidden} in every text. */
export function withoutPathsIn<T>(value: T): T {
  return hide(value) as T;
}

function hide(value: unknown): unknown {
  if (typeof value === 'string') return withoutHidden(withoutPaths(value));
  if (Array.isArray(value)) return value.map(hide);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, hide(item)]));
}
