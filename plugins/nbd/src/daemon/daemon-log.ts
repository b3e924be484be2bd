import { writeSync } from 'node:fs';
import type { Logger } from '@vbs/core';

const standardError = 2;
/** A hostile client could otherwise fill a disk with lines about itself. */
const linesInWindow = 200;
const windowMs = 10_000;

/** Fields as JSON, errors by their message. */
function plain(_key: string, value: unknown): unknown {
  return value instanceof Error ? { message: value.message, ...('code' in value ? { code: value.code } : {}) } : value;
}

/**
 * JSON lines on standard error, at most 200 in 10 s. When nobody takes them any more (the reader of a pipe ended, the disk is full),
 * the server serves on without a log.
 */
export function daemonLog(write: (line: string) => void = (line) => writeSync(standardError, line)): Logger {
  let began = performance.now();
  let written = 0;
  let left = 0;
  const put = (entry: object): void => {
    try {
      write(`${JSON.stringify({ time: new Date().toISOString(), ...entry }, plain)}\n`);
    } catch {
      // Nobody is left who could be told, and guests must not lose their disks for a line.
      left += 1;
    }
  };
  const at = (level: string) => (fields: object, message: string) => {
    const now = performance.now();
    if (now - began > windowMs) {
      if (left > 0) put({ level: 'warn', message: `${left} lines were left out` });
      [began, written, left] = [now, 0, 0];
    }
    if (written >= linesInWindow) {
      left += 1;
      return;
    }
    written += 1;
    put({ level, message, ...fields });
  };
  return { debug: () => undefined, info: at('info'), warn: at('warn'), error: at('error') };
}
