import Table from 'cli-table3';
import { cellsOf, head } from './cells.js';
import { type Report, sayMachine, sayTotals, totalsOf } from './report.js';

/** All rows in one table for a terminal, the machine above it and the totals below. */
export function textTable(report: Report): string {
  const table = new Table({
    head: [...head],
    style: { head: [], border: [], compact: true },
    colAligns: head.map((_, i) => (i === 3 ? 'right' : 'left')),
  });
  for (const { title, rows } of report.sections) {
    table.push([{ content: title.toUpperCase(), colSpan: head.length }]);
    for (const row of rows) {
      if (row.kind === 'measured') table.push([...cellsOf(row)]);
      else table.push([row.what, { content: `${row.kind}: ${row.reason}`, colSpan: head.length - 2 }, row.kind === 'failed' ? 'no' : '']);
    }
  }
  const quick = report.quick ? ['A quick run: it shows that the measurements work, and proves nothing.'] : [];
  return [...quick, sayMachine(report.machine), table.toString(), sayTotals(totalsOf(report))].join('\n');
}
