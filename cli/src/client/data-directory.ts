import { chmod, mkdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { failure } from './failure.js';

/** Where a store lies when nobody says where: /var/lib/vbs for root, else $XDG_DATA_HOME/vbs or ~/.local/share/vbs. */
export function defaultDataDirectory(environment: NodeJS.ProcessEnv, isRoot: boolean): string {
  if (isRoot) return '/var/lib/vbs';
  const given = environment.XDG_DATA_HOME;
  // The specification says that a relative path is to be passed over.
  return join(given?.startsWith('/') === true ? given : join(homedir(), '.local', 'share'), 'vbs');
}

/** Makes the data directory, for its owner alone. @throws PERMISSION_DENIED, FAILED_PRECONDITION: it cannot be made or used. */
export async function makeDataDirectory(directory: string): Promise<void> {
  try {
    if ((await mkdir(directory, { recursive: true, mode: 0o700 })) !== undefined) await chmod(directory, 0o700);
    if ((await stat(directory)).isDirectory()) return;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw failure(
      code === 'EACCES' || code === 'EPERM' || code === 'EROFS' ? 'PERMISSION_DENIED' : 'FAILED_PRECONDITION',
      `the data directory ${directory} cannot be made (${code}): give another --data-dir, or make it and give it to this user`,
      { context: { path: directory, reason: code }, cause },
    );
  }
  throw failure('FAILED_PRECONDITION', `the data directory ${directory} is no directory: give another --data-dir`);
}
