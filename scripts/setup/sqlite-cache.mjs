import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { run } from './run.mjs';
import { say } from './setup-error.mjs';

const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'vbs', 'prebuilds');
const binary = 'build/Release/node_sqlite3.node';

/** The name under which sqlite3's installer looks for a ready binary. It is N-API: one serves every Node from 20 on. */
function fileName(lock) {
  const { version } = lock.packages['node_modules/sqlite3'];
  return `sqlite3-v${version}-napi-v6-${process.platform}-${process.arch}.tar.gz`;
}

/** The folder with the binary that an earlier set-up kept, or undefined. */
export function prebuildsFolder(lock) {
  return existsSync(join(folder, fileName(lock))) ? folder : undefined;
}

/** Forgets a kept binary that does not load on this machine. */
export function forgetSqlite(lock) {
  rmSync(join(folder, fileName(lock)), { force: true });
}

/** Opens a database in a process of its own: a binary for another libc may end the process that loads it. */
export function loadSqlite(root) {
  const script = "new (require('sqlite3').Database)(':memory:', (error) => { if (error) throw error; })";
  return run(process.execPath, ['-e', script], { cwd: join(root, 'core'), timeLimitMs: 30_000, quiet: true });
}

/** Keeps the installed binary, which was seen to load, for the next checkout. Without it that one compiles again, no more. */
export async function keepSqlite(root, lock) {
  const kept = join(folder, fileName(lock));
  if (existsSync(kept)) return;
  const partial = `${kept}.${process.pid}`;
  try {
    mkdirSync(folder, { recursive: true });
    const packed = await run('tar', ['-czf', partial, '-C', join(root, 'node_modules/sqlite3'), binary], {
      cwd: root,
      timeLimitMs: 60_000,
      quiet: true,
    });
    if (!packed.ok) throw new Error(packed.output.trim() || packed.ended);
    renameSync(partial, kept);
    say(`kept the compiled SQLite in ${folder}`);
  } catch (error) {
    rmSync(partial, { force: true });
    say(`the compiled SQLite could not be kept in ${folder} (${error.message}); the next checkout compiles it again`);
  }
}
