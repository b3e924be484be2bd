import { mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import type { Bench } from '../measurement.js';
import { runTool } from './tools.js';

const limitMs = 60_000;

/** Why nothing can be mounted here; null when it may be tried. */
export function whyNoMounts(): string | null {
  return process.getuid?.() === 0 ? null : 'a loop mount needs root';
}

/** Mounts a new XFS with reflinks from a sparse image in the measurement's folder, until its end; answers where. */
export async function mountXfs({ directory, cleanup, signal }: Bench, sizeBytes: number): Promise<string> {
  const [image, mounted] = [path.join(directory, 'xfs.img'), path.join(directory, 'xfs')];
  const handle = await open(image, 'wx', 0o600);
  try {
    await handle.truncate(sizeBytes);
  } finally {
    await handle.close();
  }
  await mkdir(mounted);
  await runTool(['mkfs.xfs', '-q', '-m', 'reflink=1', image], { signal, limitMs });
  await runTool(['mount', '-o', 'loop', image, mounted], { signal, limitMs });
  cleanup.defer('unmounting', () => runTool(['umount', mounted], { signal: new AbortController().signal, limitMs: 25_000 }));
  return mounted;
}
