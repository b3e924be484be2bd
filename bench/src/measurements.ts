import { cloneByCopy, cloneByReflink } from './clone/clone.js';
import type { Measurement } from './measurement.js';
import { nbd } from './nbd/nbd.js';
import { ownTime } from './own-time.js';
import { pages } from './pages.js';
import { rest } from './rest/rest.js';

/** In the order of the table. */
export const measurements: readonly Measurement[] = [ownTime, rest, pages, nbd, cloneByReflink, cloneByCopy];
