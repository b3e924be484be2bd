import { VbsError } from '../errors.js';
import { isId } from '../model/ids.js';

/** Refuses what is no export's id, before it becomes a name, an account, a path or a line of a file. @throws INVALID_ARGUMENT. */
export function requireExportId(exportId: unknown): void {
  if (typeof exportId === 'string' && isId('export', exportId)) return;
  throw new VbsError('INVALID_ARGUMENT', 'exportId must be the id of an export, exp- and 17 hex digits.', {
    context: { field: 'exportId' },
  });
}
