/**
 * Writes what is generated: the TypeScript types of schemas/, docs/configuration.md and the reference of the command line.
 * `--check` changes nothing and exits 1 when a file is missing, differs or is left over.
 *
 *   node scripts/generate.mjs [--check]
 *
 * The references tell of what was built, and the build needs the types: between the two it builds, unless it only checks.
 */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateCommandLineReference } from './generate/command-line-reference.mjs';
import { generateTypes } from './generate/types.mjs';
import { build } from './setup/build.mjs';
import { SetupError } from './setup/setup-error.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [option, ...rest] = process.argv.slice(2);
const check = option === '--check';

/** Loaded late: it imports what the build makes. */
async function generateConfigurationReference() {
  const reference = await import('./generate/configuration-reference.mjs');
  return reference.generateConfigurationReference({ root, check });
}

function tell(changed) {
  for (const path of changed) console.log(`${path} ${check ? 'is not up to date' : 'written'}`);
  return changed.length;
}

try {
  if ((option !== undefined && !check) || rest.length > 0) throw new SetupError('usage: node scripts/generate.mjs [--check]');
  const types = tell(await generateTypes({ root, check }));
  if (!check) await build(root);
  const configuration = tell(await generateConfigurationReference());
  const commands = tell(await generateCommandLineReference({ root, check }));
  if (check && types + configuration + commands > 0) throw new SetupError('run npm run generate and commit what it writes.');
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`generate: ${error.message}\n`);
  process.exitCode = 1;
}
