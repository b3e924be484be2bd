import type { Stats } from 'node:fs';
import { access, constants, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Finding, fault, note, ok } from './finding.js';

const [leastMajor, leastMinor] = [20, 19];

/** Whether this Node.js is one that VBS runs on. */
export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const enough = major > leastMajor || (major === leastMajor && minor >= leastMinor);
  if (enough) return ok('node', `Node.js ${version}`);
  return fault('node', `Node.js ${version} is too old`, `install Node.js ${leastMajor}.${leastMinor} or newer`);
}

const openToOthers = 0o077;
/** The longest path of a Unix socket (unix(7)), without its closing zero. */
const longestSocket = 107;

/** The state directory and what lies in it: modes, owner, room for the socket's path. */
export async function checkDirectory(directory: string): Promise<readonly Finding[]> {
  const check = 'state directory';
  const found = await statOf(directory);
  if (found === null) return [note(check, `${directory} is not there yet`, 'the first command that uses the store makes it')];
  if (!found.isDirectory()) return [fault(check, `${directory} is no directory`, 'move it away, or name another data directory')];
  const findings = [...modeOf(check, directory, found, '0700'), ...(await ownerOf(check, directory, found))];
  const socket = join(directory, 'vbs.sock');
  if (Buffer.byteLength(socket) > longestSocket)
    findings.push(
      fault('socket', `${socket} has more than ${longestSocket} bytes, and cannot be a socket`, 'use a data directory with a shorter path'),
    );
  for (const name of await readdir(directory).catch(() => [])) {
    if (!/^vbs\.(sock|sqlite.*|lock)$/.test(name)) continue;
    const file = await statOf(join(directory, name));
    if (file !== null) findings.push(...modeOf(name, join(directory, name), file, '0600'));
  }
  return findings.some(({ state }) => state === 'fault') ? findings : [ok(check, `${directory} belongs to this user alone`), ...findings];
}

function modeOf(check: string, path: string, { mode }: Stats, wanted: string): Finding[] {
  if ((mode & openToOthers) === 0) return [];
  return [fault(check, `${path} is open to others (mode 0${(mode & 0o777).toString(8)})`, `chmod ${wanted} ${path}`)];
}

async function ownerOf(check: string, directory: string, { uid }: Stats): Promise<Finding[]> {
  const own = process.getuid?.() ?? uid;
  if (uid !== own)
    return [
      fault(
        check,
        `${directory} belongs to the user ${uid}, and this is ${own}`,
        'run VBS, and this command, as the user that it belongs to',
      ),
    ];
  try {
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    return [];
  } catch (error) {
    return [
      fault(check, `${directory} cannot be read and written (${codeOf(error)})`, `chmod 0700 ${directory}, or mount its disk read-write`),
    ];
  }
}

async function statOf(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null;
    throw error;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
