import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { guestFiles } from './arguments.js';

const tailBytes = 4_000;

async function tailOf(path: string, from: number): Promise<string> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  });
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const start = Math.max(from, size - tailBytes);
    if (start >= size) return '';
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
    return buffer.toString('utf8', 0, bytesRead).replaceAll('\r', '');
  } finally {
    await file.close();
  }
}

/** The end of what a guest wrote to its console, from a place of the file on. */
export function consoleTail(folder: string, from = 0): Promise<string> {
  return tailOf(join(folder, guestFiles.console), from);
}

/** How much a guest's console holds by now, in bytes. */
export async function consoleSize(folder: string): Promise<number> {
  const found = await stat(join(folder, guestFiles.console)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  });
  return found?.size ?? 0;
}

/** The ends of the guest's console and of what QEMU said, for a person to read in an error. */
export async function lastWords(folder: string): Promise<string> {
  const [guest, qemu] = await Promise.all([consoleTail(folder), tailOf(join(folder, guestFiles.said), 0)]);
  const shown = (title: string, text: string): string => (text.trim() === '' ? `${title}: nothing` : `${title}:\n${text.trimEnd()}`);
  return `${shown("the guest's console", guest)}\n${shown('QEMU', qemu)}`;
}
