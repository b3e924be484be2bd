import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Access, createLocalMachine, type ExportRequest, type OpenedInstance, openInstance } from '@vbs/core';
import nbdPlugin, { type NbdConfig } from '@vbs/plugin-nbd';
import { NbdClient } from '@vbs/plugin-nbd/client';
import { ControlConnection } from '@vbs/plugin-nbd/internal/daemon/control-connection.js';
import { daemonPlaces } from '@vbs/plugin-nbd/internal/daemon/control-path.js';
import type { Greeting } from '@vbs/plugin-nbd/internal/daemon/control-protocol.js';
import type { ExecutionContext } from 'ava';
import { exportRequest, type LogLine, makeFile, recordingLog, until } from './nbd-fixture.js';

export const instanceName = 'vs1/nbd';
export const storeId = '0123456789abcdef'.repeat(2);
type Exporter = OpenedInstance<'targetExporter'>;

export interface OpenOptions {
  readonly config?: NbdConfig;
  readonly store?: string;
  readonly name?: string;
  readonly log?: LogLine[];
}

/** Opens an exporter of `process: own` as the core does, with its layers and real guards. */
export async function openOwn(
  stateDirectory: string,
  { config, store = storeId, name = instanceName, log = [] }: OpenOptions = {},
): Promise<Exporter> {
  return openInstance(nbdPlugin, 'targetExporter', {
    name,
    configuration: {
      name,
      path: '/volumeServers/vs1/exporters/nbd',
      plugin: 'nbd',
      default: false,
      openNetwork: false,
      commands: {},
      timeLimits: {},
      config: { process: 'own', port: 0, ...config },
    },
    machine: createLocalMachine({ name: 'local', stateDirectory, log: recordingLog([]) }),
    store: { id: store, knowsPool: true },
    baseDirectory: stateDirectory,
    stateDirectory,
    log: recordingLog(log),
    retry: { retries: 0, firstPauseMs: 1 },
  });
}

/** The control socket of the fixture's instance. */
export function controlOf(stateDirectory: string, name = instanceName): string {
  return daemonPlaces(stateDirectory, name).control;
}

/** What a daemon says of itself; null when none listens. */
export async function greetingOf(control: string): Promise<Greeting | null> {
  const connection = await ControlConnection.open(control, AbortSignal.timeout(5_000));
  connection?.close();
  return connection?.greeting ?? null;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Kills a process that the test started, and waits until it is gone; also one that is stopped. */
export async function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (isAlive(pid)) process.kill(pid, signal);
  await until(() => !isAlive(pid), 10_000);
}

/** Ends every daemon that was started for a state directory, by the pids that the machine wrote down. */
export async function endDaemons(stateDirectory: string): Promise<void> {
  const folder = join(stateDirectory, 'processes');
  const files = await readdir(folder).catch(() => []);
  for (const file of files.filter((name) => name.endsWith('.json'))) {
    const { pid, startTime } = JSON.parse(await readFile(join(folder, file), 'utf8')) as { pid: number; startTime: number };
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    if (stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] === String(startTime)) await kill(pid);
  }
}

export interface DaemonFixture {
  readonly directory: string;
  readonly control: string;
  open(options?: OpenOptions): Promise<Exporter>;
  /** A request for a new file of so many bytes. */
  request(exportId: string, sizeBytes: number, access?: Access): Promise<ExportRequest<'file'>>;
  connect(uri: string): Promise<NbdClient>;
  /** The running daemon. */
  greeting(): Promise<Greeting>;
}

/** A state directory of its own, whose daemons end with the test. */
export async function makeDaemonFixture(t: ExecutionContext): Promise<DaemonFixture> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-nbd-own-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  t.teardown(() => endDaemons(directory));
  const control = controlOf(directory);
  return {
    directory,
    control,
    open: async (options = {}) => {
      const exporter = await openOwn(directory, options);
      t.teardown(() => exporter.close());
      return exporter;
    },
    request: async (exportId, sizeBytes, access = 'read-write') =>
      exportRequest(exportId, await makeFile(join(directory, `${exportId}.raw`), sizeBytes), sizeBytes, access),
    connect: async (uri) => {
      const client = await NbdClient.connect({ uri });
      t.teardown(() => client.disconnect());
      return client;
    },
    greeting: async () => {
      const found = await greetingOf(control);
      if (found === null) throw new Error(`no daemon listens on ${control}`);
      return found;
    },
  };
}
