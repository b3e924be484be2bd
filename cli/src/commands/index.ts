import type { CommandSpec } from '../command-spec.js';
import { attachmentCommands } from './attachments.js';
import { completionCommand } from './completion.js';
import { configCommand } from './config.js';
import { demoCommand } from './demo.js';
import { doctorCommand } from './doctor.js';
import { nbdServerCommand } from './nbd-server.js';
import { operationsCommand } from './operations.js';
import { eventsCommand, poolsCommand, routesCommand } from './reading.js';
import { reconcileCommand } from './reconcile.js';
import { serveCommand } from './serve.js';
import { snapshotCommands } from './snapshots.js';
import { volumeCommands } from './volumes.js';

/** Every command, in the order of the help. */
export const allCommands: readonly CommandSpec[] = [
  ...volumeCommands,
  ...snapshotCommands,
  ...attachmentCommands,
  serveCommand,
  configCommand,
  nbdServerCommand,
  doctorCommand,
  operationsCommand,
  eventsCommand,
  poolsCommand,
  routesCommand,
  reconcileCommand,
  demoCommand,
  completionCommand,
];
