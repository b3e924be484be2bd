import { join } from 'node:path';
import { run } from '../setup/run.mjs';
import { SetupError } from '../setup/setup-error.mjs';

const timeLimitMs = 60_000;

/** Writes docs/cli.md, which the command line itself knows how to write; it tells what it wrote, or what is not up to date. */
export async function generateCommandLineReference({ root, check }) {
  const script = join(root, 'cli/dist/reference/write-reference.js');
  const { ok, ended } = await run(process.execPath, [script, ...(check ? ['--check'] : [])], { cwd: root, timeLimitMs });
  if (!ok) throw new SetupError(`docs/cli.md ${check ? 'was not found up to date' : 'could not be written'} (${ended}).`);
}
