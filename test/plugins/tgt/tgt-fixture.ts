import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Access, type ExportRequest, type Machine, type OpenedInstance, Secret } from '@vbs/core';
import type { TgtConfig } from '@vbs/plugin-tgt';
import test, { type ExecutionContext } from 'ava';
import { freePort } from '../../conformance/free-port.js';
import { openTgt, storeId } from './open-tgt.js';

const run = promisify(execFile);
export const MiB = 1024 * 1024;
export const node1 = 'iqn.2009-11.org.example:node1';
export const node2 = 'iqn.2009-11.org.example:node2';
function installed(tool: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => existsSync(join(folder, tool)));
}

/** `test`, or `test.skip` with the reason for its title, where one of the tools is missing. */
export function withTools(...tools: readonly string[]) {
  const missing = tools.filter((tool) => !installed(tool));
  return missing.length === 0 ? { test, why: '' } : { test: test.skip, why: ` (skipped: ${missing.join(', ')} is not installed)` };
}

/** The tgtd of one test, on a port and a control socket of its own. */
export class TestDaemon {
  readonly #directory: string;
  readonly port: number;
  #process: ChildProcess | undefined;

  constructor(directory: string, port: number) {
    this.#directory = directory;
    this.port = port;
  }

  get socket(): string {
    return join(this.#directory, 'tgtd');
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get config(): TgtConfig {
    return { daemon: 'external', portal: `127.0.0.1:${this.port}`, socket: this.socket, directory: join(this.#directory, 'notes') };
  }

  async start(): Promise<void> {
    const portal = `portal=127.0.0.1:${this.port}`;
    this.#process = spawn('tgtd', ['-f', '-C', '0', '-t', '2', '--iscsi', portal], {
      env: { ...process.env, TGT_IPC_SOCKET: this.socket, PATH: `${process.env.PATH}:/usr/sbin` },
      stdio: 'ignore',
    });
    for (let attempt = 0; attempt < 500; attempt++) {
      if (
        await this.adm('--op', 'show', '--mode', 'target').then(
          () => true,
          () => false,
        )
      )
        return;
      await pause(20);
    }
    throw new Error('tgtd did not start');
  }

  /** SIGTERM means nothing to tgtd. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** What an operator types. */
  async adm(...words: readonly string[]): Promise<string> {
    const env = { ...process.env, TGT_IPC_SOCKET: this.socket, PATH: `${process.env.PATH}:/usr/sbin` };
    return (await run('tgtadm', ['-C', '0', '--lld', 'iscsi', ...words], { env, timeout: 10_000 })).stdout;
  }
}

export interface Fixture {
  readonly directory: string;
  readonly daemon: TestDaemon;
  readonly opened: OpenedInstance<'targetExporter'>;
  readonly exporter: OpenedInstance<'targetExporter'>['contract'];
  open(options?: {
    readonly config?: Partial<TgtConfig>;
    readonly storeId?: string;
    readonly machine?: (machine: Machine) => Machine;
    readonly name?: string;
  }): Promise<OpenedInstance<'targetExporter'>>;
  /** Makes a sparse file and a request to export it. */
  request(options?: {
    readonly access?: Access;
    readonly sizeBytes?: number;
    readonly initiators?: readonly string[];
    readonly chap?: boolean;
    readonly of?: ExportRequest<'file'>;
  }): Promise<ExportRequest<'file'>>;
}

let drawn = 0;
const digits = (): string => (++drawn).toString(16).padStart(17, '0');

/** On a port that nobody took between the look for it and the start. */
async function startDaemon(t: ExecutionContext, directory: string): Promise<TestDaemon> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const daemon = new TestDaemon(directory, await freePort());
    t.teardown(() => daemon.kill());
    await daemon.start();
    if ((await daemon.adm('--op', 'show', '--mode', 'portal')).includes(`:${daemon.port},`)) return daemon;
    await daemon.kill();
  }
  throw new Error('none of five ports was free');
}

export async function makeFixture(t: ExecutionContext, config: Partial<TgtConfig> = { chap: false }): Promise<Fixture> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-tgt-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const daemon = await startDaemon(t, directory);
  const open: Fixture['open'] = async (options = {}) => {
    const opened = await openTgt(directory, { ...daemon.config, ...config, ...options.config }, options);
    t.teardown(() => opened.close());
    return opened;
  };
  const opened = await open();
  const { addresses } = opened.traits;
  let address = addresses?.first ?? 1;
  return {
    directory,
    daemon,
    opened,
    exporter: opened.contract,
    open,
    async request({ access = 'read-write', sizeBytes = MiB, initiators = [node1], chap = false, of } = {}) {
      const id = `vol-${digits()}`;
      const exportId = `exp-${digits()}`;
      const path = join(directory, `${id}.img`);
      if (of === undefined) {
        await writeFile(path, '');
        await truncate(path, sizeBytes);
      }
      return {
        exportId,
        volume: of?.volume ?? { id, sizeBytes, locator: { kind: 'file', path } },
        access,
        serial: (of?.volume.id ?? id).replace('-', ''),
        address: address++,
        initiators,
        ...(chap ? { chap: { user: exportId, password: new Secret(`secret-of-${exportId}`) } } : {}),
      };
    },
  };
}

/** The IQN of an export of the fixture's store. */
export function iqnOf(exportId: string): string {
  return `iqn.2009-11.edu.iu.vbs:${storeId.slice(0, 8)}:${exportId}`;
}

/** How libiscsi's tools end: their output, or why they were refused. */
export async function libiscsi(tool: string, ...words: readonly string[]): Promise<string> {
  try {
    return (await run(tool, [...words], { timeout: 20_000 })).stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    return `refused: ${stdout}${stderr}`;
  }
}

export { call, openTgt, silent, storeId } from './open-tgt.js';
export { run };
