import { isSecret } from '../contract/secret.js';
import { VbsError } from '../errors.js';
import type { Argument } from './machine.js';

/** @throws INVALID_ARGUMENT: a word holds a NUL, or the tool is empty: no command can take it. TypeError: a word is no text. */
export function requireArguments(command: readonly [string, ...Argument[]]): void {
  command.forEach((word, index) => {
    const text: unknown = isSecret(word) ? word.reveal() : word;
    if (typeof text !== 'string') throw new TypeError(`Argument ${index} of ${command[0]} is no text.`);
    if (!text.includes('\0') && (index > 0 || text !== '')) return;
    throw new VbsError('INVALID_ARGUMENT', `Argument ${index} of a command is empty or holds a NUL, which no command can take.`, {
      context: { field: `command.${index}` },
    });
  });
}
