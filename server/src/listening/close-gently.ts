import type { Server } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { BlockStore, Logger } from '@vbs/core';
import type { BuiltServer } from '../create-server.js';
import { within } from '../within.js';
import { closeServer } from './listen.js';
import type { SocketPlace } from './unix-socket.js';

/** How long waits may still end by themselves, and how long answers may take to be sent after that, in milliseconds. */
const waitsMs = 2_000;
const answersMs = 2_000;
const lookMs = 20;

interface Closing {
  readonly built: BuiltServer;
  readonly servers: readonly Server[];
  readonly place: SocketPlace | null;
  readonly store: BlockStore;
  readonly log: Logger;
}

/** Ends a server: 2 s for waits, 2 s for answers, 10 s for the store. */
export async function closeGently({ built: { app, context, refuseNew }, servers, place, store, log }: Closing): Promise<void> {
  const { waits, streams } = context;
  refuseNew();
  streams.endAll();
  const ended = Promise.all(servers.map(closeServer));
  for (let waited = 0; waits.size > 0 && waited < waitsMs; waited += lookMs) await pause(lookMs);
  waits.endAll();
  if (
    (await within(
      ended.then(() => true),
      answersMs,
    )) === undefined
  )
    log.info({}, 'connections were closed before their answers were taken');
  for (const server of servers) server.closeAllConnections();
  try {
    await app.close();
  } finally {
    try {
      await store.close();
    } finally {
      await place?.release();
    }
  }
  log.info({}, 'closed');
}
