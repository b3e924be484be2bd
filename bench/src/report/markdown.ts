import { cellsOf, head } from './cells.js';
import { type Report, sayMachine, sayTotals, totalsOf } from './report.js';

/** What stands around the generated part of docs/performance.md. */
export const markers = { begin: '<!-- results: begin -->', end: '<!-- results: end -->' } as const;

/** The run as Markdown: when and on what, then a table for each measurement. */
export function markdownOf(report: Report): string {
  const kind = report.quick ? 'A quick run, which proves nothing' : 'One run';
  const intro = `${kind}, on ${report.startedAt.slice(0, 10)}: ${sayMachine(report.machine)}\n\n${sayTotals(totalsOf(report))}.`;
  const sections = report.sections.map(
    ({ title, rows }) =>
      `### ${title}\n\n${line(head)}\n${line(head.map(() => '---'))}\n${rows.map((row) => line(cellsOf(row))).join('\n')}`,
  );
  return [intro, ...sections].join('\n\n');
}

const line = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;

/** The document with its generated part replaced. @throws Error: it has not both markers, once each, in order. */
export function replaceGenerated(document: string, generated: string): string {
  const [before, rest, ...more] = document.split(markers.begin);
  const [, after, ...others] = rest?.split(markers.end) ?? [];
  if (before === undefined || after === undefined || more.length > 0 || others.length > 0) {
    throw new Error(`the document must have one ${markers.begin} and, after it, one ${markers.end}`);
  }
  return `${before}${markers.begin}\n\n${generated}\n\n${markers.end}${after}`;
}
