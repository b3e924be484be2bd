import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const limitMs = 60_000;

/** Runs a child of this folder to its end. Answers the signal that ended it. @throws Error: it failed by itself. */
export function runChild(script: string, directory: string, place: number, variant = 'sound'): Promise<string | null> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  return new Promise((resolve, reject) => {
    const child = execFile(process.execPath, [path, directory, String(place), variant], { timeout: limitMs }, (error) => {
      const failure = join(directory, 'failure.log');
      if (existsSync(failure)) reject(new Error(`place ${place}: ${readFileSync(failure, 'utf8')}`));
      else if (error !== null && child.signalCode === null) reject(error);
      else resolve(child.signalCode);
    });
  });
}

/** Works in a folder of its own that is removed afterwards. */
export async function inFolder<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-kill-'));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
