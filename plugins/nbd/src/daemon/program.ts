import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { isVbsError, toVbsError, VbsError } from '@vbs/core';
import { ControlConnection, unreachable } from './control-connection.js';
import { controlProtocol, type StopRequest } from './control-protocol.js';
import { readDaemonConfig } from './daemon-config.js';
import { daemonLog } from './daemon-log.js';
import { serveDaemon } from './serve-daemon.js';

const usage = `vbs-nbd-server serve --config FILE              serves until SIGTERM, SIGINT or stop
vbs-nbd-server status --control SOCKET           tells what it is and serves, as JSON
vbs-nbd-server stop --control SOCKET [--force]   ends it; refused while clients are connected, unless --force

VBS starts it by itself where an exporter of the plugin nbd is configured with "process: own", and writes FILE:
nbd/*.json of the state directory, and the control socket beside it. FILE holds control, instance, store, stateDirectory
and settings, the exporter's keys. Exit codes: 0, 1 it was refused or failed, 2 wrong usage.
`;

const answerLimitMs = 10_000;
/** Requests in flight and syncs have 5 s. */
const endLimitMs = 8_000;
const pauseMs = 50;

/** The program `vbs-nbd-server`: runs until its end, and answers the exit code. */
export async function runProgram(args: readonly string[]): Promise<number> {
  const [action, ...rest] = args;
  try {
    if (action === '--help' || action === 'help') return print(usage);
    const { values } = parseArgs({
      args: rest,
      options: { config: { type: 'string' }, control: { type: 'string' }, force: { type: 'boolean' }, help: { type: 'boolean' } },
    });
    if (values.help === true) return print(usage);
    if (action === 'serve' && values.config !== undefined) return await serve(values.config);
    if (action === 'status' && values.control !== undefined) return await status(values.control);
    if (action === 'stop' && values.control !== undefined) return await stop(values.control, values.force ?? false);
  } catch (error) {
    if (!isVbsError(error) && !(error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')))
      throw error;
    process.stderr.write(isVbsError(error) ? `${error.code}: ${error.message}\n` : `${error.message}\n\n${usage}`);
    return isVbsError(error) ? 1 : 2;
  }
  process.stderr.write(usage);
  return 2;
}

function print(text: string): 0 {
  process.stdout.write(text);
  return 0;
}

async function serve(path: string): Promise<number> {
  const log = daemonLog();
  try {
    const config = await readDaemonConfig(path);
    // Of the greeting without what changes: VBS waits for this line.
    await serveDaemon(config, log, ({ pid, version }) => log.info({ pid, version, control: config.control }, 'the NBD server is ready'));
    return 0;
  } catch (error) {
    log.error({ fault: toVbsError(error).toJSON() }, 'the NBD server ends by a fault');
    return 1;
  }
}

async function status(control: string): Promise<number> {
  const { connection, call } = await reach(control);
  const { greeting } = connection;
  const exports = greeting.vbsNbdServer === controlProtocol ? await connection.ask(call, 'list', {}) : null;
  connection.close();
  return print(`${JSON.stringify({ ...greeting, exports }, null, 2)}\n`);
}

async function stop(control: string, force: boolean): Promise<number> {
  const { connection, call } = await reach(control);
  const { pid } = connection.greeting;
  const request: StopRequest = { unless: force ? 'nothing' : 'sessions' };
  await connection.ask(call, 'stop', request);
  for (const end = performance.now() + endLimitMs; performance.now() < end; await pause(pauseMs)) {
    if (!isAlive(pid)) return 0;
  }
  throw new VbsError('DEADLINE_EXCEEDED', `the NBD server (process ${pid}) took the request, and has not ended within ${endLimitMs} ms`, {
    context: { pid },
  });
}

async function reach(
  control: string,
): Promise<{ readonly connection: ControlConnection; readonly call: Parameters<ControlConnection['ask']>[0] }> {
  const signal = AbortSignal.timeout(answerLimitMs);
  const connection = await ControlConnection.open(control, signal);
  if (connection === null) throw unreachable(`no NBD server listens on ${control}`, control);
  return { connection, call: { signal, operationId: '', epoch: 0 } };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPERM') return true;
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
