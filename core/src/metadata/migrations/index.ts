import { initial } from './0001-initial.js';
import { moreIndexes } from './0002-indexes.js';
import { exportPlaces } from './0003-export-places.js';

/** Every migration, in order. A released one never changes. */
export const migrations = [initial, moreIndexes, exportPlaces] as const;
