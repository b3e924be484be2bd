import type { Pool } from '@vbs/schemas';
import type { Call } from '../contract/call.js';
import { toVbsError } from '../errors.js';
import type { Instances } from './instances.js';

/** What every backend has and may do, read from the outside, all at once; one that does not answer says why. */
export function describePools(instances: Instances, call: Call): Promise<readonly Pool[]> {
  const backends = instances.backends();
  return Promise.all(
    backends.map(async ({ name, isDefault, capabilities, contract }) => {
      const facts = { backend: name, isDefault: isDefault || backends.length === 1, capabilities: [...capabilities].sort() };
      try {
        return { ...facts, capacity: await contract.getCapacity(call), fault: null };
      } catch (error) {
        return { ...facts, capacity: null, fault: toVbsError(error).message };
      }
    }),
  );
}
