import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { run } from './run.mjs';
import { SetupError, say } from './setup-error.mjs';
import { forgetSqlite, keepSqlite, loadSqlite, prebuildsFolder } from './sqlite-cache.mjs';

const installLimitMs = 30 * 60_000;
const sqliteLimitMs = 15 * 60_000;

/** Installs what package-lock.json names, unless a stamp in node_modules, or npm's own record, says that it is there. */
export async function installPackages(root) {
  const lockText = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const lock = JSON.parse(lockText);
  const stampFile = join(root, 'node_modules/.vbs-setup');
  const stamp = `${createHash('sha256').update(lockText).digest('hex')} ${process.platform}-${process.arch} abi ${process.versions.modules}\n`;
  if (textOf(stampFile) === stamp) return;

  if (!isInstalled(root, lock) || !(await loadSqlite(root)).ok) {
    const started = Date.now();
    await npmCi(root, lock);
    say(`packages are there (${Math.round((Date.now() - started) / 1000)} s)`);
  }
  await keepSqlite(root, lock);
  writeFileSync(stampFile, stamp);
}

function textOf(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/** Whether npm's record of what it installed agrees with the lock file, as after a contributor's own `npm install`. */
function isInstalled(root, lock) {
  const record = textOf(join(root, 'node_modules/.package-lock.json'));
  if (record === undefined) return false;
  const installed = JSON.parse(record).packages;
  return Object.entries(lock.packages).every(([path, wanted]) => {
    if (!path.startsWith('node_modules/')) return true;
    const found = installed[path];
    return found === undefined ? wanted.optional === true : found.version === wanted.version && found.integrity === wanted.integrity;
  });
}

async function npmCi(root, lock) {
  const env = { ...process.env, ...buildSettings(lock) };
  const sqliteIsKept = env.npm_config_sqlite3_local_prebuilds !== undefined;
  say(`installing packages (npm ci)${sqliteIsKept ? '' : '; the first time SQLite is compiled too, which takes a minute or two'}`);
  const started = Date.now();
  const heartbeat = setInterval(() => say(`still installing, ${Math.round((Date.now() - started) / 1000)} s`), 20_000);
  try {
    const args = ['--no-audit', '--no-fund', '--loglevel=error'];
    await npm(root, ['ci', ...args], { env, timeLimitMs: installLimitMs });
    if (sqliteIsKept && !(await loadSqlite(root)).ok) {
      say('the kept SQLite does not load here; compiling it again');
      forgetSqlite(lock);
      const own = { ...process.env, ...buildSettings(lock), npm_config_build_from_source: 'sqlite3' };
      await npm(root, ['rebuild', 'sqlite3', ...args], { env: own, timeLimitMs: sqliteLimitMs });
    }
  } finally {
    clearInterval(heartbeat);
  }
  const sqlite = await loadSqlite(root);
  if (!sqlite.ok) throw new SetupError(`sqlite3 was installed but does not load:\n${sqlite.output}${advice(sqlite.output)}`);
}

/** What the installation of sqlite3 reads: where Node's headers lie, and where a compiled binary was kept. */
function buildSettings(lock) {
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  const prebuilds = prebuildsFolder(lock);
  return {
    ...(existsSync(join(prefix, 'include/node/node_api.h')) ? { npm_config_nodedir: prefix } : {}),
    ...(prebuilds === undefined ? {} : { npm_config_sqlite3_local_prebuilds: prebuilds }),
  };
}

async function npm(root, args, options) {
  // npm names its own program to the scripts that it runs; without it, as when this script is started by hand, PATH decides.
  const program = process.env.npm_execpath;
  const [command, before] = program?.endsWith('.js') ? [process.execPath, [program]] : ['npm', []];
  const { ok, ended, output } = await run(command, [...before, ...args], { cwd: root, ...options });
  if (!ok) throw new SetupError(`npm ${args[0]} failed (${ended}).${advice(output)}`);
}

function advice(output) {
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ERR_SOCKET_TIMEOUT/.test(output) && !/gyp ERR!/.test(output)) {
    return ' The package registry was not reached: look at the network, and at a proxy in `npm config list`.';
  }
  if (/ENOSPC/.test(output)) return ' The disk is full.';
  if (/EACCES|EROFS|EPERM/.test(output)) return ' A folder may not be written: look who owns this checkout and the npm cache.';
  const missing = ['make', 'g++', 'python3'].filter((tool) => !isOnPath(tool));
  if (missing.length > 0) {
    return ` sqlite3 is compiled where no ready binary can be had, and this machine has no ${missing.join(', no ')}: install them (Debian: apt-get install build-essential python3).`;
  }
  return ' Its output stands above.';
}

function isOnPath(tool) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, tool)));
}
