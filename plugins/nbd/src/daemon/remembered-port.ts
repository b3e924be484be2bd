import { readFile, rename, writeFile } from 'node:fs/promises';
import { isVbsError, type Logger } from '@vbs/core';
import { LocalExports } from '../local-exports.js';
import type { DaemonConfig } from './daemon-config.js';

type Surroundings = Parameters<typeof LocalExports.open>[1];

/**
 * Starts to serve. Where any free port will do (`port: 0`), the one of the daemon before is taken again while it is free, so that
 * exports come back under the connections that they had.
 */
export async function openOnItsPort({ settings, control }: DaemonConfig, surroundings: Surroundings): Promise<LocalExports> {
  if (settings.port !== 0 || settings.socket !== undefined) return LocalExports.open(settings, surroundings);
  const path = `${control}.port`;
  const port = await readPort(path, surroundings.log);
  if (port !== undefined) {
    try {
      return await LocalExports.open({ ...settings, port }, surroundings);
    } catch (error) {
      if (!isVbsError(error) || error.code !== 'RESOURCE_EXHAUSTED') throw error;
      surroundings.log.warn({ port }, 'the port that this server had before was taken by another; its exports get new connections');
    }
  }
  const exports = await LocalExports.open(settings, surroundings);
  await writeFile(`${path}.new`, `${exports.port}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
  return exports;
}

async function readPort(path: string, log: Logger): Promise<number | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65536) return port;
  log.warn({ path }, 'what remembers the port is damaged; another port is taken');
  return undefined;
}
