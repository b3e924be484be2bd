import { VbsError } from '@vbs/core';

const columns = 12;

/**
 * How many commands of all sessions are in flight, from `tgtadm --op stat --mode logicalunit`: a head line, then a line for each
 * session, `tgt lun sid` and pairs of bytes and commands of reads submitted and done, writes submitted and done, and errors.
 * @throws INTERNAL: the output is not of this form.
 */
export function parseInFlight(output: string): number {
  const [, ...rows] = output.split('\n').filter((line) => line.trim() !== '');
  return rows.reduce((sum, row) => {
    const numbers = row.trim().split(/\s+/).map(Number);
    const [, , , , readsSubmitted, , readsDone, , writesSubmitted, , writesDone] = numbers;
    const isWhole = numbers.length === columns && numbers.every(Number.isSafeInteger);
    if (!isWhole || readsSubmitted === undefined || readsDone === undefined || writesSubmitted === undefined || writesDone === undefined) {
      throw new VbsError('INTERNAL', 'tgtadm told its statistics in a form that VBS does not know (it knows that of tgt 1.0.85).', {
        context: { line: row.slice(0, 200) },
      });
    }
    return sum + (readsSubmitted - readsDone) + (writesSubmitted - writesDone);
  }, 0);
}
