import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { listProcesses } from '@vbs/core/internal/machine/proc.js';
import { freePort } from '../conformance/free-port.js';

const sshdPath = '/usr/sbin/sshd';

/** Why no sshd can be started here; undefined where one can. */
export const withoutSshd: string | undefined = !existsSync(sshdPath)
  ? 'sshd is not installed'
  : !existsSync('/usr/bin/ssh')
    ? 'ssh is not installed'
    : undefined;

export interface SshdOptions {
  /** Lines for sshd_config. */
  readonly settings?: readonly string[];
}

/** A real sshd as an ordinary process on 127.0.0.1, with keys of its own. The machine is `vs1` in `configFile`. */
export interface Sshd {
  readonly directory: string;
  readonly configFile: string;
  readonly port: number;
  readonly knownHosts: string;
  /** Of the process that takes connections. */
  pid(): number;
  /** The processes that serve connections, of which the first is the newest. */
  connections(): readonly number[];
  /** Ends it with every connection, as a machine that loses its network would; `start` brings it back on the same port. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

function childrenOf(parent: number): readonly number[] {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8');
  return children.split(' ').map(Number).filter(Boolean);
}

export async function startSshd({ settings = [] }: SshdOptions = {}): Promise<Sshd> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-sshd-'));
  const path = (name: string): string => join(directory, name);
  for (const key of ['host', 'user']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path(key)]);
  // Where sshd starts as root it wants this folder, which the system's service makes as well.
  if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const port = await freePort();
  const hostKey = (await readFile(path('host.pub'), 'utf8')).split(' ').slice(0, 2).join(' ');
  await writeFile(path('known_hosts'), `[127.0.0.1]:${port} ${hostKey}\n`);
  await writeFile(
    path('sshd_config'),
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${path('host')}`,
      `AuthorizedKeysFile ${path('user.pub')}`,
      ...['StrictModes no', 'UsePAM no', 'PidFile none', 'PasswordAuthentication no', 'MaxStartups 100', 'LogLevel ERROR'],
      // bash then reads no .bashrc, of which only this machine knows what it holds.
      'SetEnv SHLVL=2',
      ...settings,
      '',
    ].join('\n'),
  );
  await writeFile(
    path('ssh_config'),
    [
      'Host vs1',
      ' HostName 127.0.0.1',
      ` Port ${port}`,
      ` User ${userInfo().username}`,
      ` IdentityFile ${path('user')}`,
      ...[' IdentitiesOnly yes', ' StrictHostKeyChecking yes', ' GlobalKnownHostsFile /dev/null'],
      ` UserKnownHostsFile ${path('known_hosts')}`,
      '',
    ].join('\n'),
  );
  await chmod(path('user'), 0o600);
  let server: ChildProcess | undefined;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (server?.pid === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((resolve) => server?.once('exit', resolve));
    const connections = childrenOf(server.pid);
    server.kill(signal);
    for (const pid of connections) {
      try {
        process.kill(pid, signal);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
    await ended;
  };
  const start = async (): Promise<void> => {
    server = spawn(sshdPath, ['-D', '-e', '-f', path('sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    server.stderr?.on('data', (chunk) => {
      said += chunk;
    });
    for (const deadline = Date.now() + 20_000; !(await listens(port)); await pause(20))
      if (server.exitCode !== null || Date.now() > deadline) throw new Error(`sshd does not listen: ${said}`);
  };
  await start();
  return {
    directory,
    configFile: path('ssh_config'),
    knownHosts: path('known_hosts'),
    pid: () => server?.pid ?? 0,
    port,
    connections: () => {
      const running = new Set(listProcesses().map(({ pid }) => pid));
      return server?.pid === undefined ? [] : [...childrenOf(server.pid)].filter((pid) => running.has(pid)).sort((a, b) => b - a);
    },
    kill: () => end('SIGKILL'),
    start,
    async stop() {
      await end('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Looks at the kernel's table, since a look by connecting would be a connection. */
async function listens(port: number): Promise<boolean> {
  const table = await readFile('/proc/net/tcp', 'utf8');
  return table.includes(`0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`);
}
