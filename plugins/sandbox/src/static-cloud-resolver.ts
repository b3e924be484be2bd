import type { Call, CloudResolver, InstancePlace } from '@vbs/core';
import { VbsError } from '@vbs/core';
import type { InstanceEntry, StaticResolverConfig } from './config.js';

/** Resolves instances by a table in the configuration: for tests, the demo, and places without a cloud. */
export class StaticCloudResolver implements CloudResolver<'list'> {
  readonly #entries: ReadonlyMap<string, InstanceEntry>;

  constructor(config: StaticResolverConfig) {
    this.#entries = new Map(Object.entries(config.instances));
  }

  async resolveInstance(_call: Call, { instanceId }: { readonly instanceId: string }): Promise<InstancePlace> {
    const entry = this.#entries.get(instanceId);
    if (entry === undefined || entry.state === 'terminated') {
      const reason = entry === undefined ? 'unknown' : 'terminated';
      const message = entry === undefined ? 'is not in the table of instances' : 'was terminated';
      throw new VbsError('NOT_FOUND', `Instance ${JSON.stringify(instanceId.slice(0, 80))} ${message}.`, {
        resource: instanceId,
        context: { field: 'instanceId', reason },
      });
    }
    if (entry.state === 'pending') {
      throw new VbsError('FAILED_PRECONDITION', `Instance ${instanceId} is pending: it has no host yet; try again when it runs.`, {
        resource: instanceId,
        context: { field: 'instanceId', state: 'pending' },
      });
    }
    return place(instanceId, entry);
  }

  /** The instances that run; a pending one has no place yet. */
  async listInstances(): Promise<readonly InstancePlace[]> {
    return [...this.#entries]
      .filter(([, entry]) => (entry.state ?? 'running') === 'running')
      .map(([instanceId, entry]) => place(instanceId, entry));
  }
}

function place(instanceId: string, { vmmHost, vmId }: InstanceEntry): InstancePlace {
  return { instanceId, vmmHost, vmId };
}
