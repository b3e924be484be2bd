import { VbsError } from '@vbs/core';
import { matchLines } from '../rules/expressions.js';
import type { SlotRule } from './config.js';

const longestName = 64;
const legalName = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/;

/** The legal names of slots, and the one name of each. */
export class Slots {
  readonly #expressions: readonly string[];

  constructor(
    private readonly rules: readonly SlotRule[],
    private readonly help: string,
  ) {
    this.#expressions = rules.map(({ match }) => `^(?:${match})$`);
  }

  /**
   * The one name of each slot that a text stands for; undefined for what is none.
   * @throws FAILED_PRECONDITION: the rules lead to a name that leads to another, or is none.
   */
  names(texts: readonly string[]): readonly (string | undefined)[] {
    const found = this.#once(texts);
    const again = this.#once(found.map((name) => name ?? ''));
    for (const [index, name] of found.entries()) {
      if (name === undefined || (again[index] === name && legalName.test(name))) continue;
      const message = `The configured slots lead from ${texts[index]} to ${name}, which they do not take for itself: let a rule match ${name} too.`;
      throw new VbsError('FAILED_PRECONDITION', message, { context: { slot: texts[index], name } });
    }
    return found;
  }

  /** @throws INVALID_ARGUMENT: it is none; `context.field` is `device`. */
  canonical(device: string): string {
    const [name] = this.names([device]);
    if (name !== undefined) return name;
    const message = `${JSON.stringify(device.slice(0, 40))} is no slot here. Legal are: ${this.help}.`;
    throw new VbsError('INVALID_ARGUMENT', message, { context: { field: 'device' } });
  }

  #once(texts: readonly string[]): readonly (string | undefined)[] {
    // An expression may stretch over lines, a tool's argument may not.
    const tried = texts.map((text) => (text.length > longestName || /[\p{Cc}\p{Zl}\p{Zp}\s]/u.test(text) ? '' : text));
    return matchLines('The name of a slot', this.#expressions, tried).map((matched, at) => {
      if (matched === null || tried[at] === '') return undefined;
      const [index, { name }] = matched;
      return this.rules[index]?.name ?? name ?? tried[at];
    });
  }
}
