import { createCommandRunner } from '../command/command-runner.js';
import type { InstanceConfiguration } from '../config/configuration.js';
import { configInvalid } from '../config/fault.js';
import type { Call, Logger } from '../contract/call.js';
import type { ContractKind } from '../contract/method-facts.js';
import { VbsError } from '../errors.js';
import type { LocalMachine, Machine } from '../machine/machine.js';
import type { Plugin } from './define-plugin.js';
import type { StoreIdentity } from './instance.js';
import { instanceLog } from './instance-log.js';
import type { LayerOptions } from './layers/index.js';
import { layered, usualGraceMs, withContext } from './layers/index.js';
import { declaredCapabilities, openedFaults, traitsOf, withoutWithdrawn } from './opened-faults.js';
import type { OpenedInstance } from './opened-instance.js';
import type { OwnerLock } from './owner-lock.js';
import { takeOwnership } from './owner-lock.js';
import type { PreparedInstance } from './prepare-instance.js';
import { prepareInstance } from './prepare-instance.js';
import { unownedInstance } from './unowned-instance.js';
import { withinLimit } from './within-limit.js';

/** What the opening of an instance needs beside its configuration. */
export interface OpenOptions extends Pick<LayerOptions, 'graceMs' | 'retry' | 'onCall'> {
  /** Its path of names in the configuration (`vs1/fast`). */
  readonly name: string;
  readonly store: StoreIdentity;
  /** What relative paths of the configuration start from. */
  readonly baseDirectory: string;
  /** Where the locks of owners lie. */
  readonly stateDirectory: string;
  readonly log: Logger;
  /** Where this process's server answers, for processes that find an instance owned by this one. */
  readonly endpoint?: string;
  /** How long `open`, `check` and `close` of the plugin may take, in milliseconds; 30,000 unless told. */
  readonly lifecycleLimitMs?: number;
}

/** What an instance of a plugin is opened with. */
export interface OpenInstanceOptions extends OpenOptions {
  readonly configuration: InstanceConfiguration;
  readonly machine: Machine;
}

const usualLifecycleLimitMs = 30_000;

interface Closable {
  check?(call: Call): Promise<readonly string[]>;
  close?(): Promise<void>;
}

function tooLong(name: string, what: string, ms: number): () => VbsError {
  return () =>
    new VbsError('DEADLINE_EXCEEDED', `${what} of ${name} did not end within ${ms} ms`, { context: { instance: name, limitMs: ms } });
}

/** Ends everything that an instance holds: its calls, the plugin, then, when nothing of it runs any more, its ownership. */
async function closeInstance(
  name: string,
  opened: Closable,
  lock: OwnerLock | undefined,
  running: ReadonlySet<Promise<unknown>>,
  { lifecycleLimitMs = usualLifecycleLimitMs, graceMs = usualGraceMs }: OpenOptions,
): Promise<void> {
  const settled = (): Promise<unknown> => withinLimit(Promise.allSettled(running), graceMs, tooLong(name, 'the last call', graceMs));
  // A call that was given up may end by itself, or only when the plugin closes.
  if (running.size > 0) await settled().catch(() => undefined);
  // On a failure the ownership stays until this process ends: what the plugin holds may still act (safety F1).
  await withinLimit(Promise.resolve(opened.close?.()), lifecycleLimitMs, tooLong(name, 'close', lifecycleLimitMs));
  if (running.size > 0) await settled();
  await lock?.release();
}

async function openPlugin<K extends ContractKind>(
  prepared: PreparedInstance<K>,
  options: OpenOptions,
  signal: AbortSignal,
): Promise<object> {
  const { provider, config, machine, commands } = prepared;
  const { name, baseDirectory, stateDirectory, store, log } = options;
  // A provider's own types are forgotten here; its schema and prepareInstance have checked what is handed over.
  const instance = {
    name,
    config: config as never,
    baseDirectory,
    stateDirectory,
    machine: machine as LocalMachine,
    commands: createCommandRunner(commands, machine) as never,
    store,
    log: instanceLog(log, name),
  };
  return provider.open(instance, {
    operationId: '',
    epoch: 0,
    signal,
    log: instance.log,
    progress: () => undefined,
  });
}

/** Opens what {@link prepareInstance} found right; errors and needs as {@link openInstance}. */
export async function openPrepared<K extends ContractKind>(
  prepared: PreparedInstance<K>,
  options: OpenOptions,
): Promise<OpenedInstance<K>> {
  const { kind, provider, pluginName, configuration, withdrawn } = prepared;
  const { name, stateDirectory, log, endpoint, lifecycleLimitMs = usualLifecycleLimitMs } = options;
  const { timeLimits } = configuration;
  const running = new Set<Promise<unknown>>();
  const layerOptions: LayerOptions = { ...options, timeLimits, running };

  const owned = 'lifetime' in provider && provider.lifetime === 'process';
  const lock = owned ? await takeOwnership(stateDirectory, name, endpoint) : undefined;
  if (lock === null) return unownedInstance(prepared, name, stateDirectory, layerOptions);

  const discard = async (opened: Closable): Promise<void> => {
    await closeInstance(name, opened, lock, running, options).catch((error: unknown) => {
      log.error({ instance: name, error: String(error) }, 'what was opened in vain could not be closed');
    });
  };
  const limit = new AbortController();
  const opening = openPlugin(prepared, options, limit.signal).then(
    (opened: object & Closable) => ({ opened }),
    (error: unknown) => ({ error }),
  );
  // What opens only after its limit is closed again, and its ownership waits for that.
  const outcome = await withinLimit(
    opening,
    lifecycleLimitMs,
    () => {
      const error = tooLong(name, 'open', lifecycleLimitMs)();
      limit.abort(error);
      return error;
    },
    (late) => void discard('opened' in late ? late.opened : {}),
  );
  if ('error' in outcome) {
    await discard({});
    throw withContext(outcome.error, { instance: name, plugin: pluginName });
  }
  const { opened } = outcome;
  const faults = openedFaults(kind, provider.capabilities, opened);
  if (faults.length > 0) {
    await discard(typeof opened?.close === 'function' ? opened : {});
    throw new VbsError('PLUGIN_INVALID', `${name}: what the plugin ${pluginName} opened is no ${kind}: ${faults.join('; ')}`, {
      context: { instance: name, plugin: pluginName, faults },
    });
  }

  const capabilities = withoutWithdrawn(kind, declaredCapabilities(provider.capabilities, opened), withdrawn);
  let closed: Promise<void> | undefined;
  return {
    name,
    kind,
    pluginName,
    provider,
    capabilities: capabilities as OpenedInstance<K>['capabilities'],
    traits: traitsOf(kind, opened, capabilities),
    contract: layered({ instance: name, kind, target: opened, capabilities, options: layerOptions }),
    ownedHere: true,
    check: async (call) =>
      withinLimit(Promise.resolve(opened.check?.(call) ?? []), lifecycleLimitMs, tooLong(name, 'check', lifecycleLimitMs)),
    close: () => {
      closed ??= closeInstance(name, opened, lock, running, options);
      return closed;
    },
  };
}

/**
 * Opens one configured instance of a plugin behind its layers. What has lifetime `process` is opened by one process alone;
 * in others it is answered with `ownedHere: false`.
 * @throws CONFIG_INVALID: `context.faults` lists every fault of its configuration. PLUGIN_INVALID: what was opened has not every
 * method that its capabilities oblige to. DEADLINE_EXCEEDED: `open` took too long. What `open` itself threw.
 */
export async function openInstance<K extends ContractKind>(
  plugin: Plugin,
  kind: K,
  options: OpenInstanceOptions,
): Promise<OpenedInstance<K>> {
  const { configuration, machine } = options;
  const preparation = prepareInstance(plugin, kind, configuration, machine);
  if ('prepared' in preparation) return openPrepared(preparation.prepared, options);
  throw configInvalid(`the configuration of ${options.name}`, preparation.faults);
}
