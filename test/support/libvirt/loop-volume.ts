import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AttachableSource } from '@vbs/conformance';
import { fileIo } from '../../conformance/file-io.js';

const run = promisify(execFile);
let drawn = 0;

/** A block device of this machine, over a file whose bytes are the device's. */
export async function makeLoopVolume(directory: string, sizeBytes: number): Promise<AttachableSource & { readonly path: string }> {
  const locator = { kind: 'file', path: join(directory, randomUUID()) } as const;
  await writeFile(locator.path, '');
  await truncate(locator.path, sizeBytes);
  const { stdout } = await run('losetup', ['--find', '--show', locator.path]);
  const path = stdout.trim();
  return {
    path,
    source: { kind: 'block', path },
    serial: `vol${String(++drawn).padStart(17, '0')}`,
    read: (offset, length) => fileIo.read(locator, offset, length),
    write: (offset, bytes) => fileIo.write(locator, offset, bytes),
    grow: async (larger) => {
      await truncate(locator.path, larger);
      await run('losetup', ['--set-capacity', path]);
    },
    remove: async () => {
      await run('losetup', ['--detach', path]);
      await rm(locator.path);
    },
  };
}
