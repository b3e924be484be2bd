import { readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { VbsError } from '@vbs/core';
import { runTool } from '../tools.js';

/** What each module needs, by its path, as modules.dep tells (modules.dep(5)). */
export type ModuleTable = ReadonlyMap<string, readonly string[]>;

export function parseModulesDep(text: string): ModuleTable {
  const lines = text.split('\n').filter(Boolean);
  return new Map(
    lines.map((line) => {
      const [path = '', needs = ''] = line.split(':');
      return [path, needs.split(' ').filter(Boolean)] as const;
    }),
  );
}

const nameOf = (path: string): string =>
  basename(path)
    .replace(/\.ko(\..*)?$/, '')
    .replaceAll('-', '_');

/** The paths of the wanted modules with what they need, each after what it needs. Names that are built in are told in `absent`. */
export function moduleClosure(table: ModuleTable, wanted: readonly string[]) {
  const byName = new Map([...table.keys()].map((path) => [nameOf(path), path]));
  const paths = new Set<string>();
  const absent: string[] = [];
  const add = (path: string): void => {
    if (paths.has(path)) return;
    for (const need of table.get(path) ?? []) add(need);
    paths.add(path);
  };
  for (const name of wanted) {
    const path = byName.get(name.replaceAll('-', '_'));
    if (path === undefined) absent.push(name);
    else add(path);
  }
  return { paths: [...paths], absent };
}

/** Removes every module that is not wanted nor needed by one that is. @throws INTERNAL: a wanted one is neither there nor built in. */
export async function pruneModules(root: string, kernel: string, wanted: readonly string[]): Promise<void> {
  const folder = join(root, 'lib/modules', kernel);
  const table = parseModulesDep(await readFile(join(folder, 'modules.dep'), 'utf8'));
  const builtIn = new Set((await readFile(join(folder, 'modules.builtin'), 'utf8')).split('\n').filter(Boolean).map(nameOf));
  const { paths, absent } = moduleClosure(table, wanted);
  const missing = absent.filter((name) => !builtIn.has(name.replaceAll('-', '_')));
  if (missing.length > 0)
    throw new VbsError(
      'INTERNAL',
      `The kernel ${kernel} has no module ${missing.join(', ')}: see lab/guest/modules.txt and the unpacked trees.`,
    );
  const kept = new Set(paths);
  for (const path of table.keys()) if (!kept.has(path)) await rm(join(folder, path));
  await runTool('depmod', ['-b', root, kernel]);
}
