import { constants } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { isVbsError, type Logger, VbsError } from '@vbs/core';
import { mapFileError } from './map-file-error.js';
import { discardPartial, openPartial } from './partial-file.js';

/** What a pool's file system can do. */
export interface FileSystemAbilities {
  /** Two files can share blocks until one is written to (ioctl_ficlone(2): XFS with reflink=1, btrfs, bcachefs, NFS 4.2 over these). */
  readonly reflink: boolean;
  /** A file takes no room where it was never written to. */
  readonly sparse: boolean;
}

const cannot = new Set(['EOPNOTSUPP', 'ENOTSUP', 'EXDEV', 'EINVAL', 'ENOTTY', 'ENOSYS']);

/**
 * Makes `target` share all blocks of `source`: its content at one instant, also while it is written to ("clones are atomic with
 * regards to concurrent writes", ioctl_ficlone(2)). What lies in the page cache is in it: the kernel writes the source's dirty
 * pages out, and holds writers off, before it shares the blocks. Never copies.
 * @throws UNSUPPORTED: the file system cannot, or not for this file.
 */
export async function reflink(source: string, target: string): Promise<void> {
  try {
    await copyFile(source, target, constants.COPYFILE_FICLONE_FORCE);
  } catch (cause) {
    const { code: errno } = cause as NodeJS.ErrnoException;
    if (!cannot.has(errno ?? '')) throw cause;
    const message = `The file system refuses to share the blocks of ${source} with another file (${errno}); look whether its reflinks were turned off.`;
    throw new VbsError('UNSUPPORTED', message, { context: { path: source, errno }, cause });
  }
}

const probeBytes = 64 * 1024;
const probeSize = 16 * probeBytes;

/** Tries out in a pool's own folder what its file system can do. A full disk is no failure: it then counts as one that can neither. */
export async function probeFileSystem(folder: string, log: Logger): Promise<FileSystemAbilities> {
  try {
    return await probe(folder, log);
  } catch (error) {
    const mapped = mapFileError(error, folder);
    if (mapped.code !== 'RESOURCE_EXHAUSTED') throw mapped;
    log.warn(
      { folder, error: mapped.toJSON() },
      'no room to find out what the file system can do: live-snapshot, instant-clone and thin are off',
    );
    return { reflink: false, sparse: false };
  }
}

async function probe(folder: string, log: Logger): Promise<FileSystemAbilities> {
  const source = await openPartial(folder, 'probe-source');
  try {
    const data = Buffer.alloc(probeBytes, 'vbs');
    await source.handle.write(data, 0, probeBytes, 0);
    await source.handle.truncate(probeSize);
    await source.handle.sync();
    const { blocks } = await source.handle.stat();
    return { reflink: await canReflink(folder, source.path, data, log), sparse: blocks * 512 < probeSize };
  } finally {
    await discardPartial(source, log);
  }
}

async function canReflink(folder: string, source: string, expected: Buffer, log: Logger): Promise<boolean> {
  const target = await openPartial(folder, 'probe-target');
  try {
    await reflink(source, target.path);
    const found = Buffer.alloc(expected.length);
    await target.handle.read(found, 0, found.length, 0);
    if (found.equals(expected)) return true;
    throw new VbsError(
      'FAILED_PRECONDITION',
      `A reflink in ${folder} has other bytes than its source: its file system is not to be trusted.`,
    );
  } catch (error) {
    if (isVbsError(error) && error.code === 'UNSUPPORTED') return false;
    throw error;
  } finally {
    await discardPartial(target, log);
  }
}
