import type { BlockStore, Configuration } from '@vbs/core';
import { failure } from './failure.js';

/** Where an attachment is to be made. */
interface Target {
  readonly vmmHost?: string;
  /** A cloud says later where the VM is: every node may be it. */
  readonly instanceId?: string;
}

/**
 * Refuses an attach whose export or disk would end with this process, which is about to end (safety F1).
 * @throws FAILED_PRECONDITION: it would; the message says who could do it.
 */
export function requireLasting(store: BlockStore, configuration: Configuration, backend: string, target: Target): void {
  const wanted = target.vmmHost?.toLowerCase();
  const nodes = Object.entries(configuration.vmmNodes)
    .filter(
      ([name, { hostnames }]) => target.instanceId !== undefined || [name, ...hostnames].some((known) => known.toLowerCase() === wanted),
    )
    .map(([name]) => name);
  for (const listed of store.listRoutes()) {
    const { backend: from, node } = listed;
    if (listed.route === null || from !== backend || !nodes.includes(node)) continue;
    const bound = listed.processBound;
    if (bound.length === 0) continue;
    throw failure(
      'FAILED_PRECONDITION',
      `what ${bound.join(' and ')} make lives in the process that makes it, and this one ends with the command: the attachment would be gone with it. ` +
        'Start a server with `vbs serve` on the same data directory or configuration, and attach again: the command finds it',
      { context: { reason: 'process-bound', instances: bound, backend, node } },
    );
  }
}
