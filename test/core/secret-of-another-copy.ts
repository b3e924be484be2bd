import type { Secret } from '@vbs/core';

// Another address of the same module is evaluated again: as a second copy of the core in node_modules would be.
const copy = (await import(`${import.meta.resolve('@vbs/core/internal/contract/secret.js')}?copy`)) as { readonly Secret: typeof Secret };

/** A Secret whose class is another copy of the core's: `instanceof Secret` does not know it. */
export function secretOfAnotherCopy(text: string): Secret {
  return new copy.Secret(text);
}
