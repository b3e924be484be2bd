import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { SshMachineConfiguration } from '../../config/configuration.js';
import type { Logger } from '../../contract/call.js';
import { VbsError } from '../../errors.js';
import { startError } from '../command-errors.js';
import { withFileErrors } from '../file-errors.js';
import { readProcessStat } from '../proc.js';
import { redactorOf } from '../redact.js';
import { connectError } from './connection-errors.js';
import { MarkedStream } from './marked-stream.js';
import { connectSeconds, type Liveness, sshArguments, usualLiveness } from './ssh-arguments.js';

/** What a machine tells of itself when it is connected to. */
export interface RemoteFacts {
  readonly uid: string;
  readonly bootId: string;
  readonly home: string;
}

export type SessionClient = Awaited<ReturnType<Connection['session']>>;

export interface ConnectionOptions {
  readonly configuration: SshMachineConfiguration;
  /** This machine's folder for the sockets of kept connections. */
  readonly folder: string;
  readonly log: Logger;
  readonly liveness?: Liveness;
  /** An unused connection is closed after so many milliseconds; 60,000 unless told. */
  readonly idleMs?: number;
}

/** Connecting ends by ssh's own limit; what is after it (authentication, the login shell) by this one. */
const openLimitMs = connectSeconds * 1_000 + 20_000;

const closeGraceMs = 1_000;

/**
 * The kept connection to one machine: an `ssh` that shares it (ControlMaster) and lives as long as it is used. It ends with this
 * process, however that ends, since it holds `cat` open on the other machine by its standard input. Sessions are started beside it by
 * `ssh` processes with the socket's bare name, in its folder: a path may be longer than a socket's name can be.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #liveness: Liveness;
  #opening: Promise<Master> | undefined;
  #idle: NodeJS.Timeout | undefined;
  #sessions = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#liveness = options.liveness ?? usualLiveness;
  }

  get host(): string {
    return this.#options.configuration.host;
  }

  /** Connects unless it is. @throws UNAVAILABLE, PERMISSION_DENIED, FAILED_PRECONDITION: it cannot, and what is to be done. */
  async open(): Promise<RemoteFacts> {
    return (await this.#master()).facts;
  }

  /** Starts one session's `ssh`, whose standard streams are the session's, with what it is told to run. */
  async session(bootstrap: (facts: RemoteFacts) => string) {
    const { socket, facts } = await this.#master();
    const { configuration, folder } = this.#options;
    this.#sessions++;
    clearTimeout(this.#idle);
    const client = execa('ssh', [...sshArguments('session', configuration, socket, this.#liveness), bootstrap(facts)], {
      ...processOptions(folder),
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    client.once('close', () => this.#sessionEnded());
    // In an object: a subprocess that an async function answers would be waited for.
    return { client, facts };
  }

  /** Ends the connection, with the sessions on it. */
  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const opening = this.#opening;
    this.#opening = undefined;
    // Whoever asked for the connection was told why there is none.
    const master = await opening?.catch(() => undefined);
    await master?.end();
  }

  #sessionEnded(): void {
    this.#sessions--;
    if (this.#sessions > 0) return;
    this.#idle = setTimeout(() => {
      this.close().catch((error: unknown) => this.#options.log.warn({ err: error }, 'An unused SSH connection could not be closed'));
    }, this.#options.idleMs ?? 60_000).unref();
  }

  #master(): Promise<Master> {
    if (this.#opening !== undefined) return this.#opening;
    const opening = openMaster(this.#options, this.#liveness, () => {
      if (this.#opening === opening) this.#opening = undefined;
    });
    this.#opening = opening;
    return opening;
  }
}

interface Master {
  readonly socket: string;
  readonly facts: RemoteFacts;
  end(): Promise<void>;
}

function processOptions(folder: string) {
  return {
    cwd: folder,
    env: { LC_ALL: 'C' },
    reject: false,
    buffer: false,
    forceKillAfterDelay: closeGraceMs,
  } as const;
}

async function openMaster(options: ConnectionOptions, liveness: Liveness, gone: () => void): Promise<Master> {
  try {
    return await startMaster(options, liveness, gone);
  } catch (error) {
    gone();
    throw error;
  }
}

async function startMaster({ configuration, folder, log }: ConnectionOptions, liveness: Liveness, gone: () => void): Promise<Master> {
  await withFileErrors(folder, 'make', () => mkdir(folder, { recursive: true, mode: 0o700 }));
  await withFileErrors(folder, 'clear', () => removeStale(folder));
  const socket = `${process.pid}-${randomBytes(4).toString('hex')}`;
  const mark = `VBS${randomBytes(16).toString('hex')}`;
  const tell = `echo ${mark} facts; id -u; cat /proc/sys/kernel/random/boot_id; echo "$HOME"; echo ${mark} end; exec cat >/dev/null`;
  const words = [...sshArguments('master', configuration, socket, liveness), `exec /bin/sh -c '${tell}'`];
  const child = execa('ssh', words, { ...processOptions(folder), stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  let told = '';
  // Settles also where ssh could not be started.
  const ended = child.then(() => undefined);
  const facts = new Promise<string | undefined>((resolve) => {
    const stream = new MarkedStream(mark, {
      onData: (bytes) => {
        told += bytes.toString('utf8');
      },
      onMark: ([word]) => {
        if (word === 'end') resolve(told);
        told = '';
      },
    });
    child.stdout.on('data', (chunk: Buffer) => stream.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('utf8')).slice(-8_192);
    });
    // A connection that breaks while something is written to it ends the process, which is what is looked at.
    child.stdin.on('error', () => undefined);
    void ended.then(() => resolve(undefined));
    setTimeout(() => resolve(undefined), openLimitMs).unref();
  });
  const found = await facts;
  const read = found === undefined ? undefined : factsOf(found);
  const { host } = configuration;
  const end = async (): Promise<void> => {
    child.stdin.end();
    const killing = setTimeout(() => child.kill(), closeGraceMs);
    await ended;
    clearTimeout(killing);
    await rm(join(folder, socket), { force: true });
  };
  if (read === undefined) {
    child.kill();
    await ended;
    const { code } = await child;
    if (child.pid === undefined) throw await startError(code, redactorOf(['ssh']));
    throw found === undefined ? connectError(host, said) : notLinux(host);
  }
  void ended.then(() => {
    log.debug({ host, stderr: said }, 'An SSH connection has ended');
    gone();
  });
  // What waits for a session keeps this process alive; the connection alone does not.
  for (const handle of [child, child.stdin, child.stdout, child.stderr] as readonly { unref?: () => void }[]) handle.unref?.();
  return { socket, facts: read, end };
}

function factsOf(told: string): RemoteFacts | undefined {
  const [uid = '', bootId = '', home = ''] = told.split('\n');
  return /^\d+$/.test(uid) && bootId !== '' && home.startsWith('/') ? { uid, bootId, home } : undefined;
}

function notLinux(host: string): VbsError {
  const message = `The machine ${host} has no /proc, no id(1), or a user without a home folder: VBS works on Linux machines alone.`;
  return new VbsError('FAILED_PRECONDITION', message, { context: { host } });
}

/** Sockets of processes that were killed. */
async function removeStale(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const pid = /^(\d+)-[0-9a-f]{8}(\.\w+)?$/.exec(name)?.[1];
    if (pid !== undefined && Number(pid) !== process.pid && readProcessStat(Number(pid)) === undefined)
      await rm(join(folder, name), { force: true });
  }
}
