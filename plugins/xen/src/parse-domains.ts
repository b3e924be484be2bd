import { VbsError } from '@vbs/core';

/** A line of `xl list` or `xm list`. */
export interface ListedDomain {
  readonly name: string;
  /** Left out for one that xend manages and that does not run. */
  readonly domid?: number;
  /** Runs, waits or is paused; not one that has shut down, crashed or is dying. */
  readonly running: boolean;
}

/** Name, id, memory, virtual CPUs, state, seconds. Both tools fill columns up, and neither cuts a name. */
const shape = /^(.+?)\s+(\d+)?\s+\d+\s+\d+\s+([a-z-]{6})?\s+\d+\.\d$/;

/** @throws INTERNAL: it is no such list. */
export function parseDomains(text: string): readonly ListedDomain[] {
  const [header, ...lines] = text.trimEnd().split('\n');
  if (header === undefined || !/^Name\s+ID\s+Mem/.test(header)) throw unreadable(header ?? '');
  return lines.map((line) => {
    const [, name, id, state = ''] = shape.exec(line.trimEnd()) ?? [];
    if (name === undefined) throw unreadable(line);
    return { name, ...(id === undefined ? {} : { domid: Number(id) }), running: id !== undefined && !/[scd]/.test(state) };
  });
}

function unreadable(line: string): VbsError {
  return new VbsError('INTERNAL', `This is no line of xl list or xm list: ${JSON.stringify(line.slice(0, 100))}`);
}
