/**
 * Makes a checkout ready by itself, with Node's built-ins alone: installs the locked packages when they are not there, then
 * builds. Run by the `pre…` scripts of package.json; safe to run twice, and by two processes at once.
 *
 *   node scripts/setup.mjs [--no-build]
 */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './setup/build.mjs';
import { installPackages } from './setup/install-packages.mjs';
import { withLock } from './setup/lock.mjs';
import { SetupError } from './setup/setup-error.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [option, ...rest] = process.argv.slice(2);

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    throw new SetupError(`VBS needs Node.js 20.19 or newer; this is ${process.versions.node}.`);
  }
}

try {
  if ((option !== undefined && option !== '--no-build') || rest.length > 0) {
    throw new SetupError('usage: node scripts/setup.mjs [--no-build]');
  }
  requireNode();
  await withLock(root, async () => {
    await installPackages(root);
    if (option !== '--no-build') await build(root);
  });
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`set-up: ${error.message}\n`);
  process.exitCode = 1;
}
