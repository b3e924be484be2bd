/**
 * Holds the house style (biome) and the dependency rules (dependency-cruiser over what was emitted, since it cannot read the
 * sources of TypeScript 7). Exits 1 when either finds something, or when there was nothing to look at.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './setup/run.mjs';
import { packageFolders } from './workspace.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const emitted = [...packageFolders(root), 'test'].map((folder) => `${folder}/dist`);

let failed = false;
function fault(text) {
  process.stderr.write(`lint: ${text}\n`);
  failed = true;
}

for (const folder of emitted) {
  if (!existsSync(join(root, folder))) fault(`${folder} is missing: run \`npm run build\` first, or \`npm run lint\`, which builds.`);
}
if (!failed) {
  const limits = { cwd: root, timeLimitMs: 5 * 60_000 };
  const style = await run(process.execPath, [join(root, 'node_modules/@biomejs/biome/bin/biome'), 'check', '--error-on-warnings'], limits);
  if (!style.ok) fault(`biome found faults (${style.ended}); \`npm run format\` mends most.`);
  const cruiser = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const rules = await run(process.execPath, [cruiser, '--config', '.dependency-cruiser.cjs', ...emitted], limits);
  if (!rules.ok) fault(`the dependency rules are broken (${rules.ended}).`);
}
process.exitCode = failed ? 1 : 0;
