import { token } from '../di.js';
import { metadataTokens } from '../metadata/tokens.js';
import type { Journal } from './journal.js';
import type { OperationEngine } from './operation-engine.js';
import type { OtherProcesses } from './other-processes.js';
import type { ProcessEntry, ProcessLease } from './process-lease.js';
import type { Recovery } from './recovery.js';
import type { StoreTimes } from './store-times.js';

/** The services that the workflows are, and need. */
export const workflowTokens = {
  ...metadataTokens,
  process: token<ProcessEntry>('process'),
  times: token<StoreTimes>('times'),
  lease: token<ProcessLease>('lease'),
  others: token<OtherProcesses>('other-processes'),
  journal: token<Journal>('journal'),
  engine: token<OperationEngine>('engine'),
  recovery: token<Recovery>('recovery'),
} as const;
