import { connect } from 'node:net';
import { join } from 'node:path';
import type { BlockStoreConfig, Logger } from '@vbs/core';
import type { Settings } from '../context/settings.js';
import type { Client } from './client.js';
import { makeDataDirectory } from './data-directory.js';
import { failure } from './failure.js';
import type { Endpoint } from './http-transport.js';

/** The name of a server's socket in its state directory. */
export const socketName = 'vbs.sock';
const probeMs = 1_000;
/** How long a command waits for a server that starts or ends. */
const lockLimitMs = 5_000;

/** An endpoint of --endpoint: http://HOST:PORT or unix:PATH. @throws INVALID_ARGUMENT */
export function parseEndpoint(text: string): Endpoint {
  const path = /^unix:(?:\/\/)?(.+)$/s.exec(text)?.[1];
  if (path !== undefined) return { kind: 'unix', path };
  const url = URL.canParse(text) ? new URL(text) : null;
  if (
    url !== null &&
    (url.protocol === 'http:' || url.protocol === 'https:') &&
    url.username === '' &&
    url.search === '' &&
    url.hash === ''
  )
    return { kind: 'tcp', url };
  throw failure('INVALID_ARGUMENT', 'endpoint must be http://HOST:PORT, https://HOST:PORT or unix:PATH', {
    context: { field: 'endpoint' },
  });
}

/** Where a store's files and the socket of its server lie; the core is loaded only for a configuration file. */
export async function stateDirectoryOf({ config, dataDirectory }: Settings): Promise<string> {
  if (config === undefined) return dataDirectory;
  const { readConfiguration } = await import('@vbs/core');
  return (await readConfiguration(config)).stateDirectory;
}

/** The socket of the server that runs on a state directory; null when none does. @throws UNAVAILABLE: it does not take connections. */
export async function runningSocket(stateDirectory: string): Promise<string | null> {
  const path = join(stateDirectory, socketName);
  const code = await probe(path);
  if (code === 'connected') return path;
  // The name of one that was killed stays behind.
  if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR') return null;
  const todo =
    code === 'EACCES' ? 'it belongs to another user: run the command as that user' : `it does not answer (${code}): see whether it hangs`;
  throw failure(code === 'EACCES' ? 'PERMISSION_DENIED' : 'UNAVAILABLE', `the server of ${stateDirectory} may be running, and ${todo}`, {
    context: { endpoint: `unix:${path}`, reason: code },
  });
}

function probe(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const end = (code: string) => {
      socket.destroy();
      resolve(code);
    };
    socket.setTimeout(probeMs, () => end('ETIMEDOUT'));
    socket.once('connect', () => end('connected'));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}

/** A client of a server. */
export async function connectTo(endpoint: Endpoint): Promise<Client> {
  const { HttpClient } = await import('./http-client.js');
  return new HttpClient(endpoint);
}

/** A client of the server that is told or that runs on the store; null when there is none. */
export async function findServer(settings: Settings): Promise<Client | null> {
  if (settings.endpoint !== undefined) return connectTo(parseEndpoint(settings.endpoint));
  const path = await runningSocket(await stateDirectoryOf(settings));
  return path === null ? null : connectTo({ kind: 'unix', path });
}

/** What a store is opened with: a configuration file, or the embedded default of the data directory. */
export async function configurationOf({ config, dataDirectory, nbdPort }: Settings): Promise<string | BlockStoreConfig> {
  if (config !== undefined) return config;
  const { defaultConfiguration } = await import('@vbs/core');
  return defaultConfiguration({ dataDirectory, port: nbdPort });
}

/** Opens the store in this process. @throws FAILED_PRECONDITION: a server has it, and does not answer. */
export async function openEmbedded(settings: Settings, log: Logger, signal: AbortSignal): Promise<Client> {
  if (settings.config === undefined) await makeDataDirectory(settings.dataDirectory);
  const [{ openBlockStore, readConfiguration }, { EmbeddedClient }, { takeStoreLock }] = await Promise.all([
    import('@vbs/core'),
    import('./embedded-client.js'),
    import('./store-lock.js'),
  ]);
  const source = await configurationOf(settings);
  const configuration = await readConfiguration(source);
  const lock = await takeStoreLock(configuration.stateDirectory, 'shared', { signal, limitMs: lockLimitMs });
  try {
    return new EmbeddedClient(await openBlockStore(source, { logger: log }), configuration, lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** The store that a command works on: the server that is told, the one that runs on the store, or the store itself. */
export async function findClient(settings: Settings, log: Logger, signal: AbortSignal): Promise<Client> {
  return (await findServer(settings)) ?? openEmbedded(settings, log, signal);
}
