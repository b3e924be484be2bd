import { randomUUID } from 'node:crypto';
import { rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ExportableVolume, Surroundings } from '@vbs/conformance';
import { fileIo } from './file-io.js';

/** A volume that is a file, made without a backend. */
export async function makeFileVolume({ directory }: Surroundings, sizeBytes: number): Promise<ExportableVolume<'file'>> {
  const locator = { kind: 'file', path: path.join(directory, randomUUID()) } as const;
  await writeFile(locator.path, '');
  await truncate(locator.path, sizeBytes);
  return {
    locator,
    read: (offset, length) => fileIo.read(locator, offset, length),
    write: (offset, bytes) => fileIo.write(locator, offset, bytes),
    grow: (larger) => truncate(locator.path, larger),
    remove: () => rm(locator.path, { force: true }),
  };
}
