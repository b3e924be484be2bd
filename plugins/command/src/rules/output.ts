import { VbsError } from '@vbs/core';
import { matchLines, type Row } from './expressions.js';

/** A command that tells something, and how its output is read. */
export interface OutputRule {
  readonly run: string;
  readonly lines: readonly string[];
  readonly ignore?: readonly string[];
  readonly okExits?: readonly number[];
}

/**
 * What an output tells: a row for each line that one of `lines` matches.
 * @throws INTERNAL: a line is explained by none of `lines` and `ignore`. A tool that says something else than it was configured for would
 * be taken for one that says that there is nothing.
 */
export function readOutput(name: string, { lines, ignore = [] }: OutputRule, text: string): readonly Row[] {
  const given = text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.replace(/\r$/, '')]));
  const what = `The output of the command ${name}`;
  return matchLines(what, [...lines, ...ignore], given).flatMap((matched, at): Row[] => {
    if (matched === null) {
      const shown = JSON.stringify(given[at]?.slice(0, 160));
      const advice = `let one of "lines" or "ignore" of ${name} match it`;
      throw new VbsError('INTERNAL', `${what} has a line that no rule explains, ${shown}: ${advice}.`);
    }
    const [index, groups] = matched;
    return index < lines.length ? [groups] : [];
  });
}
