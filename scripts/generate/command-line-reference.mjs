import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Writes docs/cli.md, which the command line itself knows how to write. Answers the files that differ from what they should be. */
export async function generateCommandLineReference({ root, check }) {
  const { writeReference } = await import(pathToFileURL(join(root, 'cli/dist/reference/write-reference.js')).href);
  return writeReference({ check });
}
