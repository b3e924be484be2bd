import { isVbsError, type Look } from '@vbs/core';

/** The text of a file that only tells more: undefined also where this user may not read it. */
export function readable(look: Look, path: string): string | undefined {
  try {
    return look.text(path)?.trim();
  } catch (error) {
    if (isVbsError(error) && error.code === 'PERMISSION_DENIED') return undefined;
    throw error;
  }
}
