import { mkdir } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { type Call, fromSerialized, type Instance, isVbsError, type LocalMachine, type Logger, VbsError } from '@vbs/core';
import { ControlConnection, isError, unreachable } from './control-connection.js';
import { type DaemonPlaces, daemonPlaces, requireSocketPath } from './control-path.js';
import { controlProtocol, type Greeting, ownVersion, parseLine, type StopRequest } from './control-protocol.js';
import type { DaemonConfig, DaemonSettings } from './daemon-config.js';

const program = fileURLToPath(new URL('../../bin/vbs-nbd-server.js', import.meta.url));
const readyLine = /"message":"the NBD server is ready"/;
/** Until it listens, or has told why it cannot. */
const startLimitMs = 10_000;
/** One that ends finishes what is in flight for 5 s. */
const endLimitMs = 6_000;
const pauseMs = 50;

/** What of an instance its daemon is about. */
export type KeptInstance = Pick<Instance<unknown, 'local'>, 'name' | 'stateDirectory' | 'store' | 'machine' | 'log'>;

/** Finds the daemon of an exporter, starts it where there is none, and tells it from others. */
export class DaemonKeeper {
  readonly #places: DaemonPlaces;
  readonly #config: DaemonConfig;
  readonly #machine: LocalMachine;
  readonly #log: Logger;

  /** @throws CONFIG_INVALID: the state directory's path is too long for a socket in it. */
  constructor(settings: DaemonSettings, { name, stateDirectory, store, machine, log }: KeptInstance) {
    this.#places = daemonPlaces(stateDirectory, name);
    requireSocketPath(name, this.#places.control);
    this.#config = { control: this.#places.control, instance: name, store: store.id, stateDirectory, settings };
    this.#machine = machine;
    this.#log = log;
  }

  /**
   * For the start of an exporter: the daemon runs afterwards. One with other settings, or of another version, is started anew when
   * it serves nothing; otherwise it stays, and {@link differences} tells.
   * @throws FAILED_PRECONDITION: the daemon is another store's, or speaks another protocol. Errors of {@link connect}.
   */
  async settle(call: Call): Promise<void> {
    const connection = await this.#find(call);
    const { greeting } = connection;
    connection.close();
    const stranger = this.#stranger(greeting);
    if (stranger !== undefined)
      throw new VbsError('FAILED_PRECONDITION', stranger, { context: { reason: 'other-nbd-server', pid: greeting.pid } });
    const differences = this.differences(greeting);
    if (differences.length === 0 || (await this.#replaced(call, greeting))) return;
    this.#log.warn({ pid: greeting.pid, differences }, 'the NBD server stays as it is: it serves exports, or was not started by VBS');
  }

  /**
   * A connection to the daemon, which is started when it does not run.
   * @throws UNAVAILABLE: it cannot be seen, or is not this exporter's. RESOURCE_EXHAUSTED: its port is in use. PERMISSION_DENIED.
   */
  async connect(call: Call): Promise<ControlConnection> {
    const connection = await this.#find(call);
    const stranger = this.#stranger(connection.greeting);
    if (stranger === undefined) return connection;
    connection.close();
    throw unreachable(stranger, this.#places.control);
  }

  /** A connection to the daemon if it runs and is this exporter's, or why there is none. */
  async look(call: Call): Promise<ControlConnection | { readonly fault: string }> {
    try {
      const connection = await ControlConnection.open(this.#places.control, call.signal);
      if (connection === null)
        return {
          fault:
            'the NBD server does not run: a VBS that runs starts it within some seconds and makes its exports again; otherwise start vbs serve',
        };
      const stranger = this.#stranger(connection.greeting);
      if (stranger === undefined) return connection;
      connection.close();
      return { fault: stranger };
    } catch (error) {
      if (isVbsError(error)) return { fault: error.message };
      throw error;
    }
  }

  /** In what a running daemon differs from the one that would be started now. */
  differences({ settings, version }: Greeting): readonly string[] {
    // As it crosses the socket: what is undefined here is not there.
    const wanted = JSON.parse(JSON.stringify(this.#config.settings)) as Readonly<Record<string, unknown>>;
    const has: Readonly<Record<string, unknown>> = { ...settings };
    const told = [...new Set([...Object.keys(wanted), ...Object.keys(has)])]
      .filter((key) => !isDeepStrictEqual(wanted[key], has[key]))
      .map(
        (key) =>
          `${key} is ${JSON.stringify(has[key]) ?? 'not set'} there, and ${JSON.stringify(wanted[key]) ?? 'not set'} in the configuration`,
      );
    return version === ownVersion ? told : [`it is of version ${version}, and VBS of ${ownVersion}`, ...told];
  }

  async #find(call: Call): Promise<ControlConnection> {
    return (await ControlConnection.open(this.#places.control, call.signal)) ?? (await this.#start(call));
  }

  /** Why a daemon is not the one to ask; undefined when it is. */
  #stranger({ vbsNbdServer, store, instance, pid, version }: Greeting): string | undefined {
    const { control } = this.#places;
    const what = `the NBD server on ${control} (process ${pid})`;
    const how = `end it with vbs-nbd-server stop --control ${control} when its clients can do without`;
    if (vbsNbdServer !== controlProtocol) {
      return `${what}, of version ${version}, speaks protocol ${vbsNbdServer} and VBS ${controlProtocol}: end process ${pid} when its clients can do without`;
    }
    if (store !== this.#config.store)
      return `${what} serves another store, ${store}: ${how}, or give this store a stateDirectory of its own`;
    if (instance !== this.#config.instance) return `${what} serves the exporter ${instance}: ${how}`;
    return undefined;
  }

  /** Starts it, one process of all that want to, and connects. */
  #start(call: Call): Promise<ControlConnection> {
    return this.#alone(call, async (own) => {
      for (const end = performance.now() + startLimitMs + endLimitMs; performance.now() < end && !call.signal.aborted; ) {
        const found = await ControlConnection.open(this.#places.control, call.signal);
        if (found !== null) return found;
        await this.#launch(own);
        const started = await ControlConnection.open(this.#places.control, call.signal);
        if (started !== null) return started;
        // It runs and does not listen any more: it is about to end.
        await pause(pauseMs);
      }
      const [running] = await this.#machine.find(own, this.#places.process);
      const who = running === undefined ? 'does not listen' : `runs as process ${running.pid}, and does not listen: end that process`;
      throw unreachable(`the NBD server on ${this.#places.control} ${who}`, this.#places.control);
    });
  }

  async #launch(own: Call): Promise<void> {
    const { process: name, folder, config } = this.#places;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await this.#machine.writeFile(own, config, `${JSON.stringify(this.#config, null, 2)}\n`, { guard: name });
    try {
      const { pid } = await this.#machine.start(own, name, [process.execPath, program, 'serve', '--config', config], {
        guard: name,
        readyLine,
        timeLimitMs: startLimitMs,
      });
      this.#log.info({ pid, control: this.#places.control }, 'the NBD server runs');
    } catch (error) {
      throw toldFault(error) ?? error;
    }
  }

  /** Ends an idle daemon that VBS started, and starts another. False: it is in use, or somebody else started it. */
  async #replaced(call: Call, { pid }: Greeting): Promise<boolean> {
    const name = this.#places.process;
    const ended = await this.#alone(call, async (own) => {
      if (!(await this.#machine.find(own, name)).some((running) => running.pid === pid)) return false;
      const connection = await ControlConnection.open(this.#places.control, call.signal);
      if (connection !== null && connection.greeting.pid !== pid) return false;
      try {
        const unless: StopRequest = { unless: 'exports' };
        await connection?.ask(own, 'stop', unless);
      } catch (error) {
        if (isVbsError(error) && error.code === 'FAILED_PRECONDITION') return false;
        throw error;
      }
      await this.#machine.stop(own, name, { guard: name, graceMs: endLimitMs });
      return true;
    });
    if (ended) (await this.connect(call)).close();
    return ended;
  }

  /**
   * Under a guard that is a lock alone: starting and ending an idle daemon changes no resource of the store, and its epoch is always
   * the same, so that a call that bears none (`open`) is not refused.
   */
  #alone<T>(call: Call, act: (own: Call) => Promise<T>): Promise<T> {
    const own: Call = { ...call, epoch: 0 };
    return this.#machine.guarded(own, this.#places.process, () => act(own));
  }
}

/** What a daemon that could not start said of it, out of the failure of its command. */
function toldFault(error: unknown): VbsError | undefined {
  if (!isVbsError(error)) return undefined;
  const { stderr } = error.context;
  const lines = typeof stderr === 'string' ? stderr.split('\n') : [];
  const fault = lines.map((line) => parseLine(line)?.fault).findLast(isError);
  return fault === undefined ? undefined : fromSerialized(fault);
}
