import { initial } from './0001-initial.js';

/** Every migration, in order. A released one never changes. */
export const migrations = [initial] as const;
