import { VbsError } from '../errors.js';

const segment = /^[a-z0-9][a-z0-9.-]*$/;
const longest = 180;

/**
 * The name of the file that stands for an id: `vs1/fast` becomes `vs1%2Ffast`, so that no id leads out of its folder and
 * no two share a file.
 * @throws INVALID_ARGUMENT: `field` holds something else than lower-case letters, digits, `-`, `.` and `/` between names.
 */
export function safeFileName(field: string, id: string): string {
  if (id.length <= longest && id.split('/').every((part) => segment.test(part) && !part.includes('..'))) return encodeURIComponent(id);
  const shown = JSON.stringify(id.slice(0, 80));
  throw new VbsError(
    'INVALID_ARGUMENT',
    `${field} ${shown} is not legal: use at most ${longest} of a-z, 0-9, '-', '.', with '/' between names that begin with a letter or digit.`,
    { context: { field } },
  );
}
