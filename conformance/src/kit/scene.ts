import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  type Call,
  type ContractKind,
  type ContractTypes,
  createLocalMachine,
  type Logger,
  type OpenedInstance,
  openInstance,
  type Plugin,
} from '@vbs/core';
import { type AbortOptions, abortDuring } from './abort.js';
import { newId, newStoreId } from './ids.js';
import type { CommonSetup, Surroundings } from './setup.js';

/** More lines of one test than anybody reads. */
const keptLines = 10_000;
let drawn = 0;

/** Tells a log on, and keeps what was told. */
function kept(log: Logger | undefined, lines: (readonly [object, string])[]): Logger {
  const at =
    (level: keyof Logger) =>
    (fields: object, message: string): void => {
      if (lines.length < keptLines) lines.push([fields, message]);
      log?.[level](fields, message);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function keysOf(config: unknown): object {
  if (typeof config === 'object' && config !== null) return config;
  throw new TypeError("`config` of the set-up must answer an object with the plugin's own keys");
}

function overrides(commands: Readonly<Record<string, string>> = {}) {
  return Object.fromEntries(Object.entries(commands).map(([name, pattern]) => [name, { pattern, withdraws: [] }]));
}

/** What one test opens, how the core would: through manifest, schema, `open` and layers. */
export interface OpeningOptions {
  readonly storeId?: string;
  readonly knowsPool?: boolean;
  readonly config?: unknown;
}

/** One test's surroundings: a folder, a store, an instance. Everything that it makes is tracked, and gone at its end. */
export class Scene<K extends ContractKind> implements Surroundings {
  readonly kind: K;
  readonly instance: string;
  readonly directory: string;
  readonly storeId = newStoreId();
  readonly settleMs: number;
  /** What the instance, its machine and its layers logged: fields and message. */
  readonly logged: (readonly [object, string])[] = [];
  readonly #log: Logger;
  readonly #plugin: Plugin;
  readonly #setup: CommonSetup<unknown>;
  readonly #base: string;
  readonly #limitMs: number;
  readonly #ends: (() => Promise<unknown>)[] = [];
  readonly #endsBeforeClose: (() => Promise<unknown>)[] = [];
  readonly #open = new Set<OpenedInstance<K>>();
  #config: unknown = {};
  #current: OpenedInstance<K> | undefined;

  private constructor(kind: K, plugin: Plugin, setup: CommonSetup<unknown>, base: string) {
    this.kind = kind;
    // Each of its own, since tests of one process run side by side.
    this.instance = `conformance-${++drawn}/${kind}`;
    this.directory = path.join(base, 'given');
    this.settleMs = setup.settleLimitMs ?? 5_000;
    this.#log = kept(setup.log, this.logged);
    this.#plugin = plugin;
    this.#setup = setup;
    this.#base = base;
    this.#limitMs = setup.timeLimitMs ?? 60_000;
  }

  /** Opens a fresh instance, acts and clears everything away. */
  static async with<K extends ContractKind>(
    kind: K,
    plugin: Plugin,
    setup: CommonSetup<unknown>,
    act: (scene: Scene<K>) => Promise<void>,
  ): Promise<void> {
    const scene = new Scene(kind, plugin, setup, await mkdtemp(path.join(tmpdir(), 'vbs-conformance-')));
    const faults: unknown[] = [];
    try {
      await mkdir(scene.directory);
      scene.#config = await setup.config(scene.directory, scene);
      scene.#current = await scene.open({ knowsPool: false });
      await act(scene);
    } catch (error) {
      faults.push(error);
    }
    faults.push(...(await scene.#clear()));
    // The first is what the test is about; what could not be cleared away afterwards is often its consequence.
    if (faults.length > 0) throw faults[0];
  }

  get opened(): OpenedInstance<K> {
    if (this.#current === undefined) throw new TypeError('the scene has no open instance');
    return this.#current;
  }

  get contract(): ContractTypes[K]['contract'] {
    return this.opened.contract;
  }

  has(capability: string): boolean {
    return (this.opened.capabilities as ReadonlySet<string>).has(capability);
  }

  /** One more opened instance of the same configuration, or of another. */
  async open({ storeId = this.storeId, knowsPool = true, config = this.#config }: OpeningOptions = {}): Promise<OpenedInstance<K>> {
    const log = this.#log;
    const stateDirectory = path.join(this.#base, 'state');
    const machine = this.#setup.machine?.(this) ?? createLocalMachine({ name: 'local', stateDirectory, log });
    const opened = await openInstance(this.#plugin, this.kind, {
      name: this.instance,
      configuration: {
        name: this.instance,
        path: `/conformance/${this.kind}`,
        plugin: this.#plugin.name,
        default: false,
        openNetwork: false,
        commands: overrides(this.#setup.commands),
        timeLimits: {},
        config: { ...keysOf(config) },
      },
      machine,
      store: { id: storeId, knowsPool },
      baseDirectory: this.#base,
      stateDirectory,
      log,
      // Longer than a test waits, so that the kit sees a call that does not settle, and not the layer that gives it up.
      graceMs: this.settleMs * 2,
      // The kit asks for the plugin's own word, once.
      retry: { retries: 0, firstPauseMs: 1 },
    });
    this.#open.add(opened);
    return opened;
  }

  /** Closes the instance and opens it again, as a restart of the process does. */
  async reopen(): Promise<void> {
    await this.close(this.opened);
    this.#current = await this.open();
  }

  async close(opened: OpenedInstance<K>): Promise<void> {
    this.#open.delete(opened);
    await opened.close();
  }

  /** The configuration of an instance beside this one, in a folder of its own. */
  async otherConfig(): Promise<unknown> {
    const directory = path.join(this.#base, 'other');
    await mkdir(directory, { recursive: true });
    return this.#setup.config(directory, { instance: this.instance, directory, atEnd: this.atEnd });
  }

  /** The keys that the author gave. */
  get config(): object {
    return keysOf(this.#config);
  }

  /** Bound, so that it may be handed on by itself. */
  readonly atEnd = (act: () => Promise<unknown>): void => {
    this.#ends.push(act);
  };

  newCall = (overrides: Partial<Call> = {}): Call => ({
    signal: AbortSignal.timeout(this.#limitMs),
    operationId: newId('operation'),
    epoch: 1,
    log: this.#log,
    progress: () => undefined,
    ...overrides,
  });

  /** Aborts an act in the middle; answers its durable progress. */
  abort(moment: AbortOptions['moment'], act: AbortOptions['act']): Promise<number> {
    return abortDuring({ newCall: this.newCall, moment, settleMs: this.settleMs, act });
  }

  /** The names of all files in and beside the folder that the configuration was given. */
  async files(): Promise<readonly string[]> {
    const names = await readdir(this.#base, { recursive: true });
    return names.filter((name) => name !== 'state' && !name.startsWith('state/')).sort();
  }

  /** As `atEnd`, while the instance is still open. */
  beforeClose(act: () => Promise<unknown>): void {
    this.#endsBeforeClose.push(act);
  }

  async #clear(): Promise<readonly unknown[]> {
    const acts = [
      ...this.#endsBeforeClose.reverse(),
      ...[...this.#open].map((opened) => () => opened.close()),
      ...this.#ends.reverse(),
      () => rm(this.#base, { recursive: true, force: true }),
    ];
    const faults: unknown[] = [];
    for (const act of acts) await act().catch((error: unknown) => faults.push(error));
    return faults;
  }
}
