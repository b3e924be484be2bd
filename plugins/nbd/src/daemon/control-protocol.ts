import { createRequire } from 'node:module';
import type { SerializedError } from '@vbs/core';
import type { ExportsMethod } from '../exports.js';
import type { DaemonSettings } from './daemon-config.js';

/**
 * What is spoken over the control socket: lines of JSON. The server greets; the client sends one {@link ControlRequest}, and
 * may send {@link ControlCancel} after it; the server sends one {@link ControlReply}, and ends the connection. Whoever waits for the
 * greeting has sent nothing yet: a daemon that hangs does nothing later on.
 */
export const controlProtocol = 1;

const packageFile: unknown = createRequire(import.meta.url)('../../package.json');

/** The version of this package, which a daemon that runs on from before an upgrade does not have. */
export const ownVersion =
  typeof packageFile === 'object' && packageFile !== null && 'version' in packageFile ? String(packageFile.version) : 'unknown';

/** The first line of a server. Its first field stays what it is in all versions of the protocol. */
export interface Greeting {
  readonly vbsNbdServer: number;
  readonly version: string;
  /** The exporter's path of names (`vs1/nbd`). */
  readonly instance: string;
  /** The id of the store whose volumes it serves. */
  readonly store: string;
  readonly pid: number;
  readonly settings: DaemonSettings;
  readonly exports: number;
  readonly sessions: number;
}

export type ControlMethod = ExportsMethod | 'stop';

/** When `stop` refuses: while there is any export, while somebody is connected, or never. */
export interface StopRequest {
  readonly unless: 'exports' | 'sessions' | 'nothing';
}

export interface ControlRequest {
  readonly method: ControlMethod;
  readonly operationId: string;
  readonly epoch: number;
  readonly request: unknown;
}

/** Aborts the call; its reply is still sent. The end of the connection does the same. */
export interface ControlCancel {
  readonly cancel: true;
}

export type ControlReply = { readonly result: unknown } | { readonly error: SerializedError };

/** The longest line in characters: requests are about one export, replies may list them all. */
export const longestRequest = 1024 * 1024;
export const longestReply = 64 * 1024 * 1024;

/** What any line may hold; nothing of it is known to be right yet. */
export type Line = { readonly [K in keyof ControlRequest | keyof ControlCancel | 'result' | 'error' | 'fault']?: unknown };

/** A line as an object; undefined where it is none. */
export function parseLine(line: string): Line | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
