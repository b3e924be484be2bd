import { readFile } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { type ConfigurationFault, configInvalid, nearest, validateInstanceConfig } from '@vbs/core';
import { type NbdConfig, nbdConfigSchema } from '../config.js';
import type { ServerSettings } from '../local-exports.js';
import { socketPathFault } from './control-path.js';

/** What the server of a daemon is told: the keys of the exporter's configuration, complete. */
export type DaemonSettings = ServerSettings & Omit<NbdConfig, 'process' | keyof ServerSettings>;

/** What a daemon is started with: a small JSON file that holds no secrets. */
export interface DaemonConfig {
  /** Where the control socket is made. */
  readonly control: string;
  /** The exporter's path of names. */
  readonly instance: string;
  /** The store's id. */
  readonly store: string;
  /** Where the guards lie: the store's own. */
  readonly stateDirectory: string;
  readonly settings: DaemonSettings;
}

const keys = ['control', 'instance', 'store', 'stateDirectory', 'settings'] as const;

function textFault(value: unknown, key: string): ConfigurationFault[] {
  return typeof value === 'string' && value !== '' ? [] : [{ path: `/${key}`, message: `${key} must be a text` }];
}

function pathFault(value: unknown, key: string): ConfigurationFault[] {
  return typeof value === 'string' && isAbsolute(value) ? [] : [{ path: `/${key}`, message: `${key} must be an absolute path` }];
}

/**
 * A daemon's configuration out of its file.
 * @throws CONFIG_INVALID: `context.faults` lists every fault.
 */
export async function readDaemonConfig(path: string): Promise<DaemonConfig> {
  return checkDaemonConfig(path, await readJson(path));
}

async function readJson(path: string): Promise<Readonly<Record<string, unknown>>> {
  let fault: string;
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Readonly<Record<string, unknown>>;
    fault = 'must be a JSON object';
  } catch (error) {
    fault = `cannot be read as JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
  throw configInvalid(path, [{ path: '', message: fault }]);
}

function checkDaemonConfig(path: string, given: Readonly<Record<string, unknown>>): DaemonConfig {
  const { control, instance, store, stateDirectory, settings = {} } = given;
  const unknown = Object.keys(given)
    .filter((key) => !keys.some((known) => known === key))
    .map((key) => ({ path: `/${key}`, message: `${key} is no key of this file; did you mean ${nearest(key, keys) ?? keys.join(', ')}?` }));
  const tooLong = typeof control === 'string' ? socketPathFault(control) : undefined;
  const isObject = typeof settings === 'object' && settings !== null && !Array.isArray(settings);
  const { config, faults } = validateInstanceConfig(nbdConfigSchema, {
    name: typeof instance === 'string' ? instance : '',
    path: '/settings',
    plugin: 'nbd',
    default: false,
    openNetwork: false,
    commands: {},
    timeLimits: {},
    config: isObject ? (settings as Readonly<Record<string, unknown>>) : {},
  });
  const all = [
    ...unknown,
    ...pathFault(control, 'control'),
    ...(tooLong === undefined ? [] : [{ path: '/control', message: tooLong }]),
    ...textFault(instance, 'instance'),
    ...textFault(store, 'store'),
    ...pathFault(stateDirectory, 'stateDirectory'),
    ...(isObject ? [] : [{ path: '/settings', message: 'settings must be an object of the keys of the exporter' }]),
    ...faults,
  ];
  if (all.length > 0) throw configInvalid(path, all);
  const { process: _where, ...complete } = config;
  // Found right just now, by the schema and above.
  return { control, instance, store, stateDirectory, settings: complete } as unknown as DaemonConfig;
}
