import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Call, LocalMachine, Logger, Machine } from '@vbs/core';
import { Guards } from '@vbs/core/internal/machine/guard.js';
import { createLocalMachine } from '@vbs/core/internal/machine/local-machine.js';
import { isRunning, listProcesses, readProcessStat } from '@vbs/core/internal/machine/proc.js';
import { createSshMachine, type SshMachine, type SshMachineOptions } from '@vbs/core/internal/machine/ssh/ssh-machine.js';
import test, { type ExecutionContext } from 'ava';
import { type Sshd, startSshd, withoutSshd } from '../../support/sshd.js';

export interface LogLine {
  readonly level: string;
  readonly fields: object;
  readonly message: string;
}

/** A machine, and a folder for a test. */
export interface AnyFixture<M extends Machine = Machine> {
  readonly directory: string;
  /** Where the machine keeps guards and records. */
  readonly stateDirectory: string;
  readonly machine: M;
  /** What a process of its own makes the same machine by; see {@link spawnHolder}. */
  readonly making: string;
  readonly logged: LogLine[];
  call(options?: { readonly epoch?: number; readonly signal?: AbortSignal }): Call;
  path(name: string): string;
  /** Writes an executable script. */
  script(name: string, text: string): Promise<string>;
}

type Made = Omit<AnyFixture, 'stateDirectory' | 'machine' | 'making'>;

async function madeFixture(t: ExecutionContext): Promise<Made & { readonly log: Logger }> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-machine-'));
  // A tool that is just ending may still write its records here.
  t.teardown(() => rm(directory, { recursive: true, force: true, maxRetries: 10 }));
  const logged: LogLine[] = [];
  const line =
    (level: string) =>
    (fields: object, message: string): void => {
      logged.push({ level, fields, message });
    };
  const log: Logger = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  const path = (name: string): string => join(directory, name);
  return {
    directory,
    logged,
    log,
    path,
    call: ({ epoch = 1, signal = new AbortController().signal } = {}) => ({
      epoch,
      signal,
      operationId: 'op-1',
      log,
      progress: () => undefined,
    }),
    script: async (name, text) => {
      await writeFile(path(name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
      return path(name);
    },
  };
}

/** The machine of this process. */
export interface Fixture extends AnyFixture<LocalMachine> {
  /** The guards of the same state directory. */
  readonly guards: Guards;
}

interface GraceOptions {
  readonly graceMs?: number;
}

export async function machineFixture(t: ExecutionContext, options: GraceOptions = {}): Promise<Fixture> {
  const { log, ...made } = await madeFixture(t);
  const stateDirectory = made.path('state');
  return {
    ...made,
    stateDirectory,
    making: localMaking(stateDirectory),
    guards: new Guards(stateDirectory),
    machine: createLocalMachine({ name: 'local', stateDirectory, log, graceMs: 300, ...options }),
  };
}

function localMaking(stateDirectory: string): string {
  return `import { createLocalMachine } from '@vbs/core/internal/machine/local-machine.js';
    const machine = createLocalMachine({ name: 'local', stateDirectory: ${JSON.stringify(stateDirectory)}, log, graceMs: 300 });`;
}

export interface SshFixture extends AnyFixture<SshMachine> {
  readonly sshd: Sshd;
  /** The state directory of this side. */
  readonly here: string;
  /** The same machine by a connection of its own. */
  another(): SshMachine;
}

let shared: Promise<Sshd> | undefined;
test.after.always('sshd ends', async () => (await shared)?.stop());

/** This machine over an sshd that the tests of a file share, unless one is given. */
export async function sshFixture(t: ExecutionContext, options: Partial<SshMachineOptions> = {}, given?: Sshd): Promise<SshFixture> {
  shared ??= given === undefined ? startSshd() : undefined;
  const sshd = given ?? (await shared);
  if (sshd === undefined) throw new Error('there is no sshd');
  const { log, ...made } = await madeFixture(t);
  const [here, stateDirectory] = [made.path('here'), made.path('state')];
  const configuration = { host: 'vs1', configFile: sshd.configFile, stateDirectory };
  const create = (): SshMachine => {
    const machine = createSshMachine({ configuration, stateDirectory: here, log, graceMs: 300, ...options });
    t.teardown(() => machine.close());
    return machine;
  };
  const own = { configuration, stateDirectory: here, graceMs: 300 };
  const making = `import { createSshMachine } from '@vbs/core/internal/machine/ssh/ssh-machine.js';
    const machine = createSshMachine({ ...${JSON.stringify(own)}, log });`;
  return { ...made, sshd, here, stateDirectory, making, machine: create(), another: create };
}

/** A test that needs sshd, with its reason in the title where there is none. */
export function onSsh(title: string, body: (t: ExecutionContext) => Promise<void>): void {
  if (withoutSshd === undefined) test(title, body);
  else test.skip(`${title} (${withoutSshd})`, () => undefined);
}

/** An sshd of the test's own, which it may harm. */
export async function ownSshd(t: ExecutionContext, settings: readonly string[] = []): Promise<Sshd> {
  const sshd = await startSshd({ settings });
  t.teardown(() => sshd.stop());
  return sshd;
}

type MakeFixture = (t: ExecutionContext, options?: GraceOptions) => Promise<AnyFixture>;

/** A test of what every Machine promises: once on the machine of this process, once over a real sshd. */
export function onEachMachine(title: string, body: (t: ExecutionContext, fixture: MakeFixture) => Promise<void>): void {
  test(`${title} [local]`, (t) => body(t, machineFixture));
  if (withoutSshd !== undefined) test.skip(`${title} [ssh: ${withoutSshd}]`, () => undefined);
  else test(`${title} [ssh]`, (t) => body(t, (own, options) => sshFixture(own, options)));
}

/** What `look` finds within 10 s. */
export async function eventually<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (const deadline = Date.now() + 10_000; ; ) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error('Nothing came of it within 10 s.');
    await pause(10);
  }
}

/** The pid that a script wrote to a file. */
export function pidIn(path: string): Promise<number> {
  return eventually(() => writtenPid(path));
}

async function writtenPid(path: string): Promise<number | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return /^\d+\n$/.test(text) ? Number(text) : undefined;
}

/** Whether a script has come so far that its pid is in a file. */
export const hasPid = async (path: string): Promise<boolean> => (await writtenPid(path)) !== undefined;

/** Tries with longer and longer limits until what is limited has come far enough; on a busy machine that takes a while. */
export async function withEnoughTime(attempt: (limitMs: number) => Promise<'far enough' | 'too short'>): Promise<void> {
  for (let limitMs = 300; limitMs < 60_000; limitMs *= 4) if ((await attempt(limitMs)) === 'far enough') return;
  throw new Error('A minute was too short.');
}

export function runs(pid: number): boolean {
  const stat = readProcessStat(pid);
  return stat !== undefined && isRunning(stat);
}

export interface Holder {
  readonly pid: number;
  /** Its exit code; null when a signal ended it. */
  readonly ended: Promise<number | null>;
  kill(): Promise<void>;
}

/** A process of its own that runs a module text against the fixture's machine, or the local one of a state directory. It is killed at the end of the test. */
export function spawnHolder(t: ExecutionContext, of: string | { readonly making: string }, body: string): Holder {
  const making = typeof of === 'string' ? localMaking(of) : of.making;
  const text = `
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    ${making}
    const call = (epoch) => ({ epoch, signal: new AbortController().signal, operationId: 'op-9', log, progress() {} });
    ${body}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', text], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  t.teardown(kill);
  return { pid: child.pid as number, ended, kill };
}

/** Ends, at the end of the test, whatever a test may have left of a group. */
export function endGroupAfter(t: ExecutionContext, group: number): void {
  t.teardown(() => {
    if (listProcesses().some((stat) => stat.group === group)) process.kill(-group, 'SIGKILL');
  });
}
