import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

/** The program, as it is installed. */
export const program = fileURLToPath(new URL('../../../cli/bin/vbs.js', import.meta.url));
const limitMs = 120_000;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** A program that runs, and what it has printed. */
export interface Running {
  readonly process: ChildProcess;
  readonly out: () => string;
  readonly err: () => string;
  /** Ends when it has printed something that matches, on either stream. @throws it ended, or did not within a minute. */
  printed(what: RegExp): Promise<RegExpExecArray>;
  ended(): Promise<Ended>;
}

/** A new folder for a store, that goes with the test; its path is short enough for a socket. */
export async function newFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'vbs-cli-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The environment of the commands of one test: nothing of the developer's own reaches them. */
function environmentOf(given: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(VBS_|XDG_|NODE_OPTIONS|COLUMNS|NODE_V8)/.test(name));
  return { ...Object.fromEntries(kept), ...given };
}

/** Starts a program; killed with the test if it has not ended. */
export function start(t: ExecutionContext, command: string, given: readonly string[], { environment, cwd }: RunOptions = {}): Running {
  const child = spawn(command, given, {
    env: environmentOf(environment),
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
    killSignal: 'SIGKILL',
    ...(cwd === undefined ? {} : { cwd }),
  });
  let out = '';
  let err = '';
  const lookers = new Set<() => void>();
  const look = () => {
    for (const one of lookers) one();
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    look();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
    look();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, out, err }));
  });
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended.catch(() => undefined);
  });
  return {
    process: child,
    out: () => out,
    err: () => err,
    ended: () => ended,
    async printed(what) {
      for (;;) {
        const match = what.exec(out) ?? what.exec(err);
        if (match !== null) return match;
        const changed = new Promise<'changed'>((resolve) => lookers.add(() => resolve('changed')));
        const how = await Promise.race([changed, ended]);
        lookers.clear();
        if (how !== 'changed' && !what.test(out) && !what.test(err))
          throw new Error(`it ended (${how.code ?? how.signal}) without ${what}; it printed ${out}${err}`);
      }
    },
  };
}

/** Starts `vbs`. */
export function startVbs(t: ExecutionContext, given: readonly string[], options: RunOptions = {}): Running {
  return start(t, process.execPath, [program, ...given], options);
}

/** Runs `vbs` to its end. */
export function vbs(t: ExecutionContext, given: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return startVbs(t, given, options).ended();
}

/** Where the commands of a test find their store. */
export interface Store {
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Runs a command that must succeed, and answers what it prints. */
  run(...given: readonly string[]): Promise<string>;
  /** The same with --output json. */
  json(...given: readonly string[]): Promise<Record<string, unknown>>;
  /** Runs a command, whatever it ends with. */
  try(...given: readonly string[]): Promise<Ended>;
}

/** A store in a folder of its own, which the commands open themselves. */
export async function embedded(t: ExecutionContext): Promise<Store> {
  const folder = join(await newFolder(t), 'd');
  const environment = { VBS_DATA_DIR: folder };
  const attempt = (...given: readonly string[]) => vbs(t, given, { environment });
  async function run(...given: readonly string[]): Promise<string> {
    const { code, out, err } = await attempt(...given);
    if (code !== 0) throw new Error(`vbs ${given.join(' ')} ended with ${code}: ${err}`);
    return out;
  }
  return {
    folder,
    environment,
    run,
    try: attempt,
    json: async (...given) => JSON.parse(await run('--output', 'json', ...given)) as Record<string, unknown>,
  };
}

export interface Served extends Store {
  readonly server: Running;
  readonly url: string;
}

/** Serves a store's folder until the test ends. */
export async function startServer(t: ExecutionContext, store: Store, ...given: readonly string[]): Promise<Served> {
  const server = startVbs(t, ['serve', '--port', '0', '--log-level', 'warn', ...given], { environment: store.environment });
  const [, url = ''] = await server.printed(/vbs serves (http:\S+) \(docs \S+, socket \S+\)\n/);
  return { ...store, server, url };
}

/** A store in a folder of its own, behind a server that the commands find by its socket. */
export async function served(t: ExecutionContext): Promise<Served> {
  return startServer(t, await embedded(t));
}
