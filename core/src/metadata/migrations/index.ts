import { initial } from './0001-initial.js';
import { moreIndexes } from './0002-indexes.js';

/** Every migration, in order. A released one never changes. */
export const migrations = [initial, moreIndexes] as const;
