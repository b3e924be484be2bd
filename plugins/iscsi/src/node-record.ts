/** The last line of a whole record (open-iscsi 2.1.8); one without it was torn, and iscsiadm neither reads nor replaces it. */
const lastLine = '# END RECORD';

export function isWholeRecord(text: string): boolean {
  return text.trimEnd().endsWith(lastLine);
}

/** A node record with these settings, each of them once; `undefined` takes one out. Others, of /etc/iscsi/iscsid.conf, stay. */
export function withSettings(record: string, settings: Readonly<Record<string, string | undefined>>): string {
  const keyOf = (line: string): string => line.split(' = ', 1)[0]?.trim() ?? '';
  const kept = record
    .trimEnd()
    .split('\n')
    .filter((line) => line.trim() !== lastLine && !Object.hasOwn(settings, keyOf(line)));
  const set = Object.entries(settings).flatMap(([key, value]) => (value === undefined ? [] : [`${key} = ${value}`]));
  return `${[...kept, ...set, lastLine].join('\n')}\n`;
}

/** Whether a record already has these settings, in whatever order. */
export function hasSettings(record: string, settings: Readonly<Record<string, string | undefined>>): boolean {
  const lines = new Set(record.split('\n').map((line) => line.trim()));
  const keys = new Set([...lines].map((line) => line.split(' = ', 1)[0]));
  return Object.entries(settings).every(([key, value]) => (value === undefined ? !keys.has(key) : lines.has(`${key} = ${value}`)));
}
