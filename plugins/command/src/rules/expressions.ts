import { createContext, Script } from 'node:vm';
import { VbsError } from '@vbs/core';

/** What one line gave: its named groups. */
export type Row = Readonly<Record<string, string>>;

/**
 * Of one output. An operator's expression may need exponential time for a line that its author has not thought of; a good one needs
 * milliseconds, and the rest of the time is for a machine that is busy otherwise.
 */
export const expressionLimits = { lines: 50_000, lineCharacters: 8_192, milliseconds: 2_000 } as const;

/** A scope of its own, since only a script can be ended in the middle of an expression. */
const scope = createContext({ given: '' });

const matcher = new Script(`(() => {
  const { expressions, lines } = JSON.parse(given);
  const compiled = expressions.map((source) => new RegExp(source, 'u'));
  return JSON.stringify(lines.map((line) => {
    for (const [index, expression] of compiled.entries()) {
      const found = expression.exec(line);
      if (found !== null) return [index, found.groups ?? {}];
    }
    return null;
  }));
})()`);

/** The first expression that matches a line, and its named groups; null: none does. */
export type Matched = readonly [index: number, groups: Row] | null;

/**
 * Tries expressions on lines, each line's first match counts. The time that all of it takes is limited, whatever the expressions are.
 * @throws INTERNAL: there are too many lines, one is too long, or it took longer than it may.
 */
export function matchLines(what: string, expressions: readonly string[], lines: readonly string[]): readonly Matched[] {
  const { lines: most, lineCharacters, milliseconds } = expressionLimits;
  if (lines.length > most) throw unreadable(what, `has more than ${most} lines`);
  if (lines.some((line) => line.length > lineCharacters)) throw unreadable(what, `has a line of more than ${lineCharacters} characters`);
  try {
    scope.given = JSON.stringify({ expressions, lines });
    return JSON.parse(String(matcher.runInContext(scope, { timeout: milliseconds }))) as readonly Matched[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    throw unreadable(
      what,
      `kept the configured expressions busy for ${milliseconds} ms: repeat nothing that repeats itself, as (a+)+ does`,
    );
  }
}

/** The names of an expression's groups. @throws SyntaxError: it is none. */
export function groupNames(source: string): readonly string[] {
  // With an empty alternative it matches, and so tells all of its groups.
  return Object.keys(new RegExp(`${source}|`, 'u').exec('')?.groups ?? {});
}

function unreadable(what: string, why: string): VbsError {
  return new VbsError('INTERNAL', `${what} ${why}.`);
}
