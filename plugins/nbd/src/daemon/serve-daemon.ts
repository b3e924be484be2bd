import { chmod, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Call, createLocalMachine, type ExportRequest, type Logger, VbsError } from '@vbs/core';
import type { LocalExports } from '../local-exports.js';
import { type ControlMethod, controlProtocol, type Greeting, ownVersion, type StopRequest } from './control-protocol.js';
import { ControlServer } from './control-server.js';
import type { DaemonConfig } from './daemon-config.js';
import { takeDaemonLock } from './daemon-lock.js';
import { openOnItsPort } from './remembered-port.js';

/** Of the calls that run when the daemon is ended; beside them it finishes its clients' requests. */
const callsLimitMs = 2_000;

/** Why a daemon ends. */
type Ending = 'signal' | 'stop';

/**
 * Serves until it is told to end, by SIGTERM, SIGINT or the control socket: then refuses new clients, finishes what is in flight, and
 * syncs, within 5 s. `ready` is called once it listens.
 * @throws FAILED_PRECONDITION: another process is the daemon of this control socket. RESOURCE_EXHAUSTED: the port is in use.
 * @throws UNAVAILABLE: some written bytes may not be on the medium.
 */
export async function serveDaemon(config: DaemonConfig, log: Logger, ready: (greeting: Greeting) => void): Promise<void> {
  process.umask(0o077);
  const { instance: name, stateDirectory, control: path } = config;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  takeDaemonLock(path);
  let end = (_why: Ending): void => undefined;
  const ending = new Promise<Ending>((resolve) => {
    end = resolve;
  });
  // Before anybody is served: no signal may end it with requests in flight.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => end('signal'));
  process.on('SIGHUP', () => log.info({}, 'SIGHUP means nothing to this server'));

  const machine = createLocalMachine({ name: 'local', stateDirectory, log });
  const exports = await openOnItsPort(config, { name, machine, log });
  const { store, settings } = config;
  const greeting = (): Greeting => ({
    vbsNbdServer: controlProtocol,
    version: ownVersion,
    instance: name,
    store,
    pid: process.pid,
    settings,
    ...exports.load,
  });
  let running = 0;
  let ends = false;
  const handle = async (call: Call, method: ControlMethod, request: unknown): Promise<unknown> => {
    if (ends) throw new VbsError('UNAVAILABLE', `the NBD server (process ${process.pid}) is about to end`);
    if (method === 'stop') {
      refuseStop({ ...exports.load, running }, request as StopRequest);
      ends = true;
      // After the answer has been written.
      setImmediate(() => end('stop'));
      return {};
    }
    running += 1;
    try {
      return await answer(exports, call, method, request);
    } finally {
      running -= 1;
    }
  };
  const control = await ControlServer.listen(path, greeting, handle, log).catch(async (error: unknown) => {
    await exports.close();
    throw error;
  });
  await chmod(path, 0o600);
  ready(greeting());

  const why = await ending;
  log.info({ why, ...exports.load }, 'the NBD server ends');
  await Promise.all([control.close(callsLimitMs), exports.close()]);
}

function answer(exports: LocalExports, call: Call, method: Exclude<ControlMethod, 'stop'>, request: unknown): Promise<unknown> {
  // Whoever may open the socket is this user, and greeted with the version of the protocol that it speaks.
  const asked = request as ExportRequest<'file'>;
  switch (method) {
    case 'create':
      return exports.create(call, asked);
    case 'ensure':
      return exports.ensure(call, asked);
    case 'delete':
      return exports.delete(call, asked);
    case 'revoke':
      return exports.revoke(call, asked);
    case 'extend':
      return exports.extend(call, asked);
    case 'list':
      return exports.list(call);
    case 'faults':
      return exports.faults();
  }
}

/** What may become an export in a moment counts as one. */
function refuseStop(
  load: { readonly exports: number; readonly sessions: number; readonly running: number },
  { unless }: StopRequest,
): void {
  const isIdle = load.exports === 0 && load.running === 0;
  if (unless === 'nothing' || (load.sessions === 0 && (unless === 'sessions' || isIdle))) return;
  throw new VbsError(
    'FAILED_PRECONDITION',
    `the NBD server has ${load.exports} export(s) and ${load.sessions} connected client(s): detach them first, or say --force, and guests lose their disks`,
    { context: load },
  );
}
