import type { SshMachineConfiguration } from '../../config/configuration.js';

/** A connection on which nothing comes for so many times so many seconds is given up. */
export interface Liveness {
  readonly intervalSeconds: number;
  readonly times: number;
}

export const usualLiveness: Liveness = { intervalSeconds: 5, times: 3 };

export const connectSeconds = 10;

/**
 * ssh's arguments for the connection that is kept (`master`), or for one session on it. What is not named here is as the user's own
 * configuration says, the checking of host keys above all. A session never connects by itself: where the kept connection is gone, its
 * proxy command fails, and nothing was begun.
 */
export function sshArguments(
  role: 'master' | 'session',
  { host, configFile }: SshMachineConfiguration,
  socket: string,
  { intervalSeconds, times }: Liveness,
): readonly string[] {
  const options = {
    BatchMode: 'yes',
    ClearAllForwardings: 'yes',
    ConnectionAttempts: '1',
    ConnectTimeout: String(connectSeconds),
    ControlMaster: role === 'master' ? 'yes' : 'no',
    ControlPersist: 'no',
    LogLevel: 'ERROR',
    PermitLocalCommand: 'no',
    RemoteCommand: 'none',
    ServerAliveInterval: String(intervalSeconds),
    ServerAliveCountMax: String(times),
    ...(role === 'session' ? { ProxyCommand: 'false' } : {}),
  };
  return [
    ...(configFile === undefined ? [] : ['-F', configFile]),
    ...['-T', '-a', '-x', '-S', socket],
    ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
    ...['--', host],
  ];
}
