import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { VbsError } from '@vbs/core';

export interface ResourceFile {
  /** The id of the resource whose bytes the file has. */
  readonly id: string;
  readonly path: string;
  readonly access: 'read' | 'read-write';
}

/** Opens a volume's or snapshot's file, never through a symbolic link, acts on it and closes it. @throws NOT_FOUND. */
export async function withFile<T>({ id, path, access }: ResourceFile, act: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await openFile(id, path, access === 'read' ? constants.O_RDONLY : constants.O_RDWR);
  try {
    return await act(handle);
  } finally {
    await handle.close();
  }
}

async function openFile(id: string, path: string, flags: number): Promise<FileHandle> {
  try {
    return await open(path, flags | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new VbsError('NOT_FOUND', `${id} is not in the pool.`, { resource: id, context: { path }, cause: error });
  }
}
