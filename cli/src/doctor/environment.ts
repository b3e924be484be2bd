import type { Stats } from 'node:fs';
import { access, constants, readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { humanSize } from '../output/sizes.js';
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

/** Below it the bookkeeping cannot be written for long; nothing is changed then, deleting volumes included. */
const leastRoomBytes = 4 * 1024 * 1024;

/** The state directory and what lies in it: modes, owner, room on its disk and for the socket's path. */
export async function checkDirectory(directory: string): Promise<readonly Finding[]> {
  const check = 'state directory';
  const found = await statOf(directory);
  if (found === null) return [note(check, `${directory} is not there yet`, 'the first command that uses the store makes it')];
  if (!found.isDirectory()) return [fault(check, `${directory} is no directory`, 'move it away, or name another data directory')];
  const findings = [...modeOf(check, directory, found, '0700'), ...(await ownerOf(check, directory, found)), ...(await roomOf(directory))];
  const socket = join(directory, 'vbs.sock');
  if (Buffer.byteLength(socket) > longestSocket)
    findings.push(
      fault('socket', `${socket} has more than ${longestSocket} bytes, and cannot be a socket`, 'use a data directory with a shorter path'),
    );
  // That it cannot be read is told already.
  for (const name of await readdir(directory).catch(() => [])) {
    if (!/^vbs\.(sock|sqlite.*|lock)$/.test(name)) continue;
    const file = await statOf(join(directory, name));
    if (file === null) continue;
    findings.push(...modeOf(name, join(directory, name), file, '0600'));
    if (file.uid !== found.uid) findings.push(ownedByOther(name, join(directory, name), file, found));
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

function ownedByOther(check: string, path: string, { uid }: Stats, directory: Stats): Finding {
  return fault(check, `${path} belongs to the user ${uid}, and its directory to ${directory.uid}`, `chown ${directory.uid} ${path}`);
}

async function roomOf(directory: string): Promise<Finding[]> {
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize >= leastRoomBytes) return [];
  const room = `${humanSize(bavail * bsize)} are free on the file system of ${directory}: the bookkeeping cannot be written`;
  return [fault('room', room, 'free some there; without it nothing can be changed, deleting volumes included')];
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
