import { VbsError } from '../../errors.js';
import type { Layer } from './layer.js';

/** Refuses, before anything is done, a method whose capability the instance does not declare: UNSUPPORTED. */
export const capabilityGuard: Layer = (next, { instance, method, facts: { needs }, capabilities }) => {
  if (needs === undefined || capabilities.has(needs)) return next;
  return async () => {
    throw new VbsError('UNSUPPORTED', `${instance} cannot ${method}: it does not declare the capability ${needs}`, {
      context: { instance, method, capability: needs },
    });
  };
};
