import { isSecret, Secret } from '../contract/secret.js';
import { VbsError } from '../errors.js';
import type { Argument } from '../machine/machine.js';
import type { CommandPattern, PatternPart } from './pattern.js';

export type PlaceholderValue = Argument | number;

const longestValue = 65_536;
const optionName = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/**
 * Puts values into a pattern. Each word of the pattern becomes one argument, whatever the values are, and none becomes an option
 * that was none. A word with a Secret in it is a Secret. Values for placeholders that the pattern has not are left out.
 * @throws INVALID_ARGUMENT: a value is empty, too long, no safe integer, or could mean more than a value; `context.field` is its placeholder.
 */
export function fillPattern(
  name: string,
  pattern: CommandPattern,
  values: Readonly<Record<string, PlaceholderValue>>,
): readonly [string, ...Argument[]] {
  const [tool, ...words] = pattern.words.map((word) => fillWord(name, word, values));
  if (typeof tool !== 'string') throw new TypeError(`The command ${name} has no tool.`);
  return [tool, ...words];
}

function fillWord(name: string, word: readonly PatternPart[], values: Readonly<Record<string, PlaceholderValue>>): Argument {
  // In a list of options (`size=1,ro=on`) a comma would begin another option.
  const isList = word.some((part) => 'literal' in part && /[,=]/.test(part.literal));
  let text = '';
  let secret = false;
  for (const [index, part] of word.entries()) {
    if ('literal' in part) {
      text += part.literal;
      continue;
    }
    const value = Object.hasOwn(values, part.placeholder) ? values[part.placeholder] : undefined;
    if (value === undefined) throw new TypeError(`The command ${name} was given no value for <${part.placeholder}>.`);
    const shown = textOf(name, part.placeholder, value);
    if (index === 0 && shown.startsWith('-'))
      throw refused(name, part.placeholder, "begins with '-', so that the tool would take it for an option");
    if (isList && shown.includes(',')) throw refused(name, part.placeholder, 'holds a comma, which would begin another option');
    // The value is an option's name (`-<slot>`): which one is the plugin's to limit, that it is no more than a name is not.
    if (/^-+$/.test(text) && !optionName.test(shown))
      throw refused(name, part.placeholder, "names an option and is no plain name: a letter or digit, then these, '.', '_' and '-'");
    text += shown;
    secret ||= isSecret(value);
  }
  return secret ? new Secret(text) : text;
}

function textOf(name: string, placeholder: string, value: PlaceholderValue): string {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw refused(name, placeholder, `is ${value}, not a whole number of at most 2^53`);
    return String(value);
  }
  const text = isSecret(value) ? value.reveal() : value;
  if (typeof text !== 'string') throw new TypeError(`The value of <${placeholder}> of the command ${name} is neither text nor number.`);
  if (text === '') throw refused(name, placeholder, 'is empty');
  if (text.length > longestValue) throw refused(name, placeholder, `is longer than ${longestValue} characters`);
  if (/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(text)) throw refused(name, placeholder, 'holds a control character or a line break');
  return text;
}

/** Says nothing of the value itself, which may be a secret. */
function refused(name: string, placeholder: string, why: string): VbsError {
  return new VbsError('INVALID_ARGUMENT', `The value of <${placeholder}> of the command ${name} ${why}.`, {
    context: { field: placeholder, command: name },
  });
}
