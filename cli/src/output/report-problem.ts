import type { Problem } from '@vbs/schemas';
import { printable, printableJson, printableLines } from './printable.js';

const advice: Readonly<Record<NonNullable<Problem['retry']>, string | null>> = {
  never: null,
  'after-fix': null,
  backoff: 'try again after a pause',
};

/** A problem as lines for standard error: code and message, then the field, the operation and what remains. */
export function problemText({ code, detail, retry, context = {} }: Problem): string {
  const { field, operationId, remains } = context;
  const hints = [
    ...(typeof field === 'string' ? [`field: ${field}`] : []),
    ...(typeof operationId === 'string' ? [`operation: ${operationId} (see \`vbs operations show ${operationId}\`)`] : []),
    ...(typeof remains === 'string' ? [`remains: ${remains}`] : []),
    ...(retry !== undefined && advice[retry] !== null ? [advice[retry]] : []),
  ];
  const [first = '', ...rest] = printableLines(`vbs: ${code}: ${detail}`).trimEnd().split('\n');
  return `${[first, ...rest.map((line) => `  ${line}`), ...hints.map((hint) => `  ${printable(hint)}`)].join('\n')}\n`;
}

/** The same as its problem document. */
export function problemJson(problem: Problem): string {
  return `${printableJson(problem, 2)}\n`;
}
