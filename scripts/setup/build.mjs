import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { packageFolders } from '../workspace.mjs';
import { run } from './run.mjs';
import { SetupError } from './setup-error.mjs';

/** Builds every project, without what was emitted from sources that are gone: a deleted test would go on running. */
export async function build(root) {
  removeStaleOutputs(root);
  const { ok, ended } = await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b'], {
    cwd: root,
    timeLimitMs: 10 * 60_000,
  });
  if (!ok) throw new SetupError(`the build failed (${ended}); the errors stand above.`);
}

/** Removes from every project's output what has no source any more. */
export function removeStaleOutputs(root) {
  for (const [source, output] of projects(root)) removeOrphans(source, output);
}

/** Source and output folder of every project. */
function projects(root) {
  return [
    ...packageFolders(root).map((folder) => [join(root, folder, 'src'), join(root, folder, 'dist')]),
    [join(root, 'test'), join(root, 'test/dist')],
  ];
}

function removeOrphans(source, output) {
  if (!existsSync(output)) return;
  for (const entry of readdirSync(output, { withFileTypes: true })) {
    const path = join(output, entry.name);
    if (entry.isDirectory()) {
      const from = join(source, entry.name);
      if (existsSync(from)) removeOrphans(from, path);
      else rmSync(path, { recursive: true });
      continue;
    }
    const stem = /^(.+?)(\.d\.ts|\.js)(\.map)?$/.exec(entry.name)?.[1];
    if (stem !== undefined && !existsSync(join(source, `${stem}.ts`))) rmSync(path);
  }
}
