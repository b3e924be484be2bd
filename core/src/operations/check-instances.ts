import type { Call } from '../contract/call.js';
import { toVbsError, VbsError } from '../errors.js';
import type { OpenedInstance } from '../plugin/opened-instance.js';
import { withinLimit } from '../plugin/within-limit.js';
import type { Instances } from './instances.js';

/** What each instance misses, by its name; each by itself, so that one which hangs or fails hides no other. */
export async function checkInstances(instances: Instances, call: Call, limitMs: number): Promise<ReadonlyMap<string, readonly string[]>> {
  const nodes = instances.nodes().flatMap(({ hypervisor, initiators }) => [hypervisor, ...initiators.values()]);
  const all = [...instances.backends(), ...instances.exporters(), ...nodes, ...instances.delegates.resolvers.values()];
  return new Map(await Promise.all(all.map(async (instance) => [instance.name, await checkOne(instance, call, limitMs)] as const)));
}

async function checkOne(instance: Pick<OpenedInstance, 'name' | 'check'>, call: Call, limitMs: number): Promise<readonly string[]> {
  const late = () =>
    new VbsError('DEADLINE_EXCEEDED', `${instance.name} did not say within ${limitMs} ms how it is: look whether what it runs on hangs`);
  try {
    return await withinLimit(instance.check(call), limitMs, late);
  } catch (error) {
    const { code, message } = toVbsError(error);
    return [`${code}: ${message}`];
  }
}
