import type { RequestListener, Server } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import { join } from 'node:path';
import { type BlockStore, type BlockStoreConfig, type Logger, openBlockStore, readConfiguration, type Services } from '@vbs/core';
import { type BuiltServer, buildServer, usualLog } from './create-server.js';
import { type Limits, limitsWith } from './limits.js';
import { closeGently } from './listening/close-gently.js';
import { createHttpServer } from './listening/http-server.js';
import { listen } from './listening/listen.js';
import { type SocketPlace, takeSocketPlace } from './listening/unix-socket.js';
import { createMetrics } from './metrics/metrics.js';
import { clientErrorHandler } from './problems/client-error.js';
import { Refusal } from './problems/refusal.js';
import { writeProblem } from './problems/write-problem.js';
import { requestIdOf } from './requests/request-id.js';

/** What is served, and where. */
export interface ServeOptions {
  /** What `openBlockStore` takes: the path of a configuration, or the configuration itself. */
  readonly configuration: BlockStoreConfig | string;
  /** 127.0.0.1 unless told. Nobody is asked who he is: beyond loopback whoever reaches the port can do everything. */
  readonly host?: string;
  /** Any that is free unless told. */
  readonly port?: number;
  /** The Unix socket; `vbs.sock` in the state directory unless told, none when null. */
  readonly socket?: string | null;
  /** Further names that requests may have in `Host`. */
  readonly hosts?: readonly string[];
  /** For requests and the core; pino on standard error, from info on, unless told. */
  readonly log?: Logger;
  readonly limits?: Partial<Limits>;
  /** Further services of the store. */
  readonly services?: Partial<Omit<Services, 'logger' | 'observer' | 'endpoint'>>;
}

/** A REST server that listens, and its store. */
export interface RunningServer {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** The Unix socket; null where there is none. */
  readonly socket: string | null;
  readonly store: BlockStore;
  /** Takes nothing new, answers what is in flight, ends streams and closes the store; within 15 s. */
  close(): Promise<void>;
}

const loopbackHosts: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost']);

/**
 * Opens a store and serves it, on TCP and on a Unix socket of this user alone. Its places are taken before the store is opened, and
 * answer 503 until it is. Installs no signal handlers.
 * @throws what `openBlockStore` throws. FAILED_PRECONDITION: a live server has the socket. RESOURCE_EXHAUSTED: the port is in use.
 * TypeError: a limit is not legal.
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { configuration, host = '127.0.0.1', port = 0, log = usualLog(), services } = options;
  const limits = limitsWith(options.limits);
  const metrics = createMetrics();
  const socket = options.socket === undefined ? await usualSocket(configuration) : options.socket;
  const operators = new WeakSet<object>();
  const undo: (() => Promise<unknown>)[] = [];
  try {
    let handle: RequestListener = (request, response) => void writeProblem(response, starting(), requestIdOf(request));
    const listener: RequestListener = (request, response) => handle(request, response);
    const newServer = (): Server => {
      const server = createHttpServer(listener, { limits, log, http: metrics.http });
      undo.push(async () => server.close().closeAllConnections());
      return server.on('clientError', clientErrorHandler({ limits, log, http: metrics.http }));
    };
    const place = socket === null ? null : await takePlace(socket, undo);
    const tcp = newServer();
    await listen(tcp, { host, port });
    const servers = [tcp];
    if (place !== null) {
      const local = newServer().on('connection', (connection) => operators.add(connection));
      await place.listen(local);
      servers.push(local);
    }
    const url = urlOf(host, tcp);
    const store = await openBlockStore(configuration, { ...services, logger: log, observer: metrics.observer, endpoint: url });
    undo.push(() => store.close());
    const built = await buildServer({
      store,
      metrics,
      log,
      limits,
      host,
      hosts: options.hosts ?? [],
      isOperator: (one) => operators.has(one),
    });
    await built.app.ready();
    handle = built.app.routing;
    tellWhere(log, { url, socket, host });
    return { url, socket, store, close: closeOnce({ built, servers, place, store, log }) };
  } catch (error) {
    for (const step of undo.reverse())
      await step().catch((failure: unknown) => log.error({ err: failure }, 'a failed start could not be cleared up'));
    throw error;
  }
}

async function usualSocket(configuration: object | string): Promise<string> {
  return join((await readConfiguration(configuration)).stateDirectory, 'vbs.sock');
}

async function takePlace(socket: string, undo: (() => Promise<unknown>)[]): Promise<SocketPlace> {
  const place = await takeSocketPlace(socket);
  undo.push(() => place.release());
  return place;
}

function urlOf(host: string, server: Server): string {
  const { port } = server.address() as AddressInfo;
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${isIP(reachable) === 6 ? `[${reachable}]` : reachable}:${port}`;
}

function starting(): Refusal {
  return new Refusal('UNAVAILABLE', 'this server is starting; try again', { status: 503, headers: { 'retry-after': '1' } });
}

function tellWhere(log: Logger, { url, socket, host }: { url: string; socket: string | null; host: string }): void {
  log.info({ url, socket }, 'serving');
  if (!loopbackHosts.has(host))
    log.warn(
      { host },
      'listening beyond loopback, without authentication: whoever reaches this port can read, change and delete everything',
    );
}

function closeOnce(parts: { built: BuiltServer; servers: readonly Server[]; place: SocketPlace | null; store: BlockStore; log: Logger }) {
  let closed: Promise<void> | undefined;
  return (): Promise<void> => {
    closed ??= closeGently(parts);
    return closed;
  };
}
