import type { Logger } from '../contract/call.js';
import { token } from '../di.js';
import type { Clock } from '../model/clock.js';
import type { Database } from './database/open-database.js';
import type { MetadataStore } from './metadata-store.js';

/** The services that the metadata are, and need. */
export const metadataTokens = {
  clock: token<Clock>('clock'),
  newId: token<() => string>('new-id'),
  logger: token<Logger>('logger'),
  database: token<Database>('database'),
  metadata: token<MetadataStore>('metadata'),
} as const;
