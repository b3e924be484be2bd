import { readFileSync } from 'node:fs';
import type { BlockStore, Logger } from '@vbs/core';
import { type FastifyInstance, fastify, LogController } from 'fastify';
import { pino } from 'pino';
import { commonHeaders } from './answers/common-headers.js';
import { errorHandler } from './answers/error-handler.js';
import { EventStreams } from './answers/event-streams.js';
import { OperationAnswers } from './answers/operation-answers.js';
import { Views } from './answers/views.js';
import { Waits } from './answers/waits.js';
import { type Limits, limitsWith } from './limits.js';
import { createHttpServer } from './listening/http-server.js';
import { fastifyLogger } from './logging/fastify-logger.js';
import { logRequests } from './logging/request-log.js';
import { createMetrics, type Metrics } from './metrics/metrics.js';
import { clientErrorHandler } from './problems/client-error.js';
import { fromFramework } from './problems/framework-error.js';
import { closing } from './problems/refusal.js';
import { writeProblem } from './problems/write-problem.js';
import { requireLegalHeaders } from './requests/header-lines.js';
import { acceptJson } from './requests/json-body.js';
import { KnownPaths } from './requests/known-paths.js';
import { requestIdOf } from './requests/request-id.js';
import { createHostCheck } from './requests/trusted-host.js';
import { createAjv, createValidatorCompiler } from './requests/validator.js';
import { attachmentRoutes } from './routes/attachments.js';
import { registerDocs } from './routes/docs.js';
import { eventRoutes } from './routes/events.js';
import { healthRoutes } from './routes/health.js';
import { operationRoutes } from './routes/operations.js';
import { snapshotRoutes } from './routes/snapshots.js';
import { storeRoutes } from './routes/store.js';
import { volumeRoutes } from './routes/volumes.js';
import type { ServerContext } from './server-context.js';

/** What a REST server over an open store needs. */
export interface ServerOptions {
  readonly store: BlockStore;
  /** Those whose observer the store was opened with; without it operations and plugins are not counted. */
  readonly metrics?: Metrics;
  /** pino on standard error, from info on, unless told. */
  readonly log?: Logger;
  readonly limits?: Partial<Limits>;
  /** Where the server will listen, and further names that requests may have in `Host`, beside those of loopback. */
  readonly host?: string;
  readonly hosts?: readonly string[];
  /** Says which connections came by the Unix socket; none unless told. */
  readonly isOperator?: (socket: object) => boolean;
}

/** A server that listens nowhere yet, and the ways to end it gently. */
export interface BuiltServer {
  readonly app: FastifyInstance;
  readonly context: ServerContext;
  /** From now on every new request is refused, and each connection ends with its answer. */
  refuseNew(): void;
}

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { readonly version: string };
const routes = [volumeRoutes, snapshotRoutes, attachmentRoutes, operationRoutes, eventRoutes, storeRoutes, healthRoutes];
/** Longer parts of a path are refused by their length; ids are shorter, and told by their form. */
const longestPathPart = 256;

export function usualLog(): Logger {
  return pino({ level: 'info' }, pino.destination(2));
}

/**
 * The REST server of an open store, as a fastify instance that does not listen: call its `listen`, `inject` or `routing`.
 * Closing it ends streams and waits, and leaves the store open: whoever opened that closes it.
 * @throws TypeError: a limit is not legal.
 */
export async function createServer(options: ServerOptions): Promise<FastifyInstance> {
  return (await buildServer(options)).app;
}

export async function buildServer(options: ServerOptions): Promise<BuiltServer> {
  const { store, metrics = createMetrics(), log = usualLog(), isOperator = () => false } = options;
  const limits = limitsWith(options.limits);
  const { http } = metrics;
  const waits = new Waits(limits.waits, (waiting) => http.waits(waiting));
  const streams = new EventStreams({ store, limits, log, told: (open) => http.streams(open) });
  const context: ServerContext = { store, limits, log, metrics, waits, streams, isOperator };
  const app = createApp(context);
  let isClosing = false;

  const paths = new KnownPaths(app);
  const checkHost = createHostCheck(options.host, options.hosts ?? [], isOperator);
  app.decorateRequest('operationId', '');
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(commonHeaders).header('x-request-id', request.id);
    if (isClosing) throw closing();
    requireLegalHeaders(request);
    checkHost(request);
    if (request.is404) paths.refuse(request, reply);
    else done();
  });
  // Of a route that has no such file.
  app.setNotFoundHandler((request) => {
    throw paths.notFound(request.url.split('?')[0] ?? '');
  });
  app.addHook('onSend', async (_request, reply) => {
    if (isClosing) reply.header('connection', 'close');
  });
  const refuseNew = (): void => {
    isClosing = true;
  };
  app.addHook('preClose', async () => {
    refuseNew();
    streams.endAll();
    waits.endAll();
  });

  await registerDocs(app, version);
  const views = new Views(context);
  const answers = new OperationAnswers(context, views);
  for (const register of routes) register(app, { context, answers, views });
  return { app, context, refuseNew };
}

/** The parts of the server read the files of /docs: a machine that is busy may take longer than fastify's usual 10 s. */
const startLimitMs = 60_000;

/** fastify with our limits, parsers, validators and errors, and no route. */
function createApp({ limits, log, isOperator, metrics: { http } }: ServerContext): FastifyInstance {
  const app = fastify({
    loggerInstance: fastifyLogger(log),
    logController: new LogController({ disableRequestLogging: true }),
    childLoggerFactory: (logger) => logger,
    genReqId: requestIdOf,
    bodyLimit: limits.bodyBytes,
    pluginTimeout: startLimitMs,
    routerOptions: { maxParamLength: longestPathPart },
    // What still comes while it closes is refused by ourselves, with a problem document.
    return503OnClosing: false,
    serverFactory: (listener) => createHttpServer(listener, { limits, log, http }),
    clientErrorHandler: clientErrorHandler({ limits, log, http }),
    frameworkErrors: (error, request, reply) => {
      const status = writeProblem(reply.raw, fromFramework(error, limits.bodyBytes), request.id);
      http.answered(request.method, 'none', status, 0);
      log.info({ requestId: request.id, method: request.method, route: 'none', status }, 'request');
    },
  });
  acceptJson(app);
  logRequests(app, { log, http });
  const ajv = createAjv();
  app.setValidatorCompiler(createValidatorCompiler(ajv));
  app.setSerializerCompiler(() => JSON.stringify);
  app.setErrorHandler(errorHandler({ bodyBytes: limits.bodyBytes, log, isOperator }));
  return app;
}
