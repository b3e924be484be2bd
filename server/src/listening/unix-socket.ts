import { close as closeFd, open as openFd } from 'node:fs';
import { chmod, lstat, mkdir, mkdtemp, rename, rm, unlink } from 'node:fs/promises';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { VbsError } from '@vbs/core';
import { tryLock, unlock } from '@vbs/core/posix';
import { listen } from './listen.js';

const open = promisify(openFd);
const close = promisify(closeFd);

/** The most bytes that the path of a Unix socket has on Linux (unix(7)), its ending zero left out. */
const longestPath = 107;
const probeMs = 1_000;

/** A place for a Unix socket that no other process has. */
export interface SocketPlace {
  /** Listens there, for this user alone. */
  listen(server: Server): Promise<void>;
  /** Takes the socket away, if it was made, and lets others have its place. */
  release(): Promise<void>;
}

/**
 * Takes the place of a Unix socket, by a lock beside it that the kernel frees with this process: so what lies there is of a process
 * that has ended, and is replaced when this one listens.
 * @throws FAILED_PRECONDITION: a live process has it, or something lies there that is no socket. INVALID_ARGUMENT: the path is too long.
 */
export async function takeSocketPlace(path: string): Promise<SocketPlace> {
  const folder = dirname(path);
  if (Buffer.byteLength(join(folder, '.sXXXXXX', 's')) > longestPath || Buffer.byteLength(path) > longestPath)
    throw new VbsError('INVALID_ARGUMENT', `the path of the socket ${path} is too long for Linux; name a shorter one`, {
      context: { field: 'socket' },
    });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const fd = await open(`${path}.lock`, 'a', 0o600);
  try {
    if (!tryLock(fd, 'exclusive')) throw isTaken(path);
    await requireFree(path);
  } catch (error) {
    await close(fd);
    throw error;
  }
  let made = false;
  return {
    async listen(server) {
      await listenPrivately(server, path);
      made = true;
    },
    async release() {
      try {
        if (made) await unlink(path).catch(unlessMissing);
      } finally {
        // The lock's file stays: removing it would let two processes lock two files of one name.
        unlock(fd);
        await close(fd);
      }
    },
  };
}

function isTaken(path: string): VbsError {
  return new VbsError('FAILED_PRECONDITION', `a running server has the socket ${path}: use it there, end it, or name another socket`, {
    context: { field: 'socket', socket: path },
  });
}

async function requireFree(path: string): Promise<void> {
  const found = await lstat(path).catch(unlessMissing);
  if (found === undefined) return;
  if (!found.isSocket())
    throw new VbsError('FAILED_PRECONDITION', `${path} is there and is no socket; name another one`, { context: { field: 'socket' } });
  if (await answers(path)) throw isTaken(path);
}

/** Whether somebody, of another program then, accepts connections there. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const end = (alive: boolean): void => {
      socket.destroy();
      resolve(alive);
    };
    socket.setTimeout(probeMs, () => end(true));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

/** Nobody else can connect at any moment: the socket is made in a folder of this user alone, and gets its name when it is private. */
async function listenPrivately(server: Server, path: string): Promise<void> {
  const folder = await mkdtemp(join(dirname(path), '.s'));
  try {
    const first = join(folder, 's');
    await listen(server, { path: first });
    await chmod(first, 0o600);
    await rename(first, path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}
