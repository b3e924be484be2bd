import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Call, createSshMachine, isVbsError, type Logger, type SshMachine } from '@vbs/core';
import { hostKeyAlias } from './build/keys.js';
import { imageFiles } from './paths.js';

const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** A call for commands that belong to no operation of VBS. */
export function labCall(signal: AbortSignal = new AbortController().signal): Call {
  return { signal, operationId: 'lab', epoch: 1, log: silent, progress: () => undefined };
}

export interface SshGuest {
  readonly name: string;
  /** Its image's folder, which holds its keys. */
  readonly image: string;
  readonly sshPort: number;
}

/** Writes an OpenSSH client configuration by which each guest is reached by its name; the guests' host key is checked. */
export async function writeSshConfig(path: string, guests: readonly SshGuest[]): Promise<void> {
  const quoted = (text: string): string => `"${text.replaceAll('"', '')}"`;
  const blocks = guests.map(({ name, image, sshPort }) => [
    `Host ${name}`,
    '  HostName 127.0.0.1',
    `  Port ${sshPort}`,
    '  User root',
    `  IdentityFile ${quoted(join(image, imageFiles.userKey))}`,
    '  IdentitiesOnly yes',
    '  PasswordAuthentication no',
    '  StrictHostKeyChecking yes',
    `  HostKeyAlias ${hostKeyAlias}`,
    `  UserKnownHostsFile ${quoted(join(image, imageFiles.knownHosts))}`,
    '  GlobalKnownHostsFile /dev/null',
    '  LogLevel ERROR',
    '',
  ]);
  await writeFile(path, blocks.flat().join('\n'), { mode: 0o600 });
}

/** The machine of a guest, as VBS itself would reach it. */
export function guestMachine(name: string, configFile: string, stateDirectory: string): SshMachine {
  return createSshMachine({ configuration: { host: name, configFile }, stateDirectory, log: silent });
}

const answerLimitMs = 60_000;

/**
 * Runs the first command on a guest, whose SSH server may not listen yet: what changed nothing is tried again, while `isThere`.
 * @throws UNAVAILABLE: it does not answer within a minute, or is gone.
 */
export async function firstCommand(machine: SshMachine, command: readonly [string, ...string[]], isThere: () => boolean): Promise<void> {
  for (const deadline = Date.now() + answerLimitMs; ; await pause(100)) {
    try {
      await machine.run(labCall(), command);
      return;
    } catch (error) {
      if (!isVbsError(error) || error.code !== 'UNAVAILABLE' || !isThere() || Date.now() > deadline) throw error;
    }
  }
}
