import type { BlockStore } from '@vbs/core';
import type { InstanceCheck, Readiness } from '@vbs/schemas';
import type { ServerContext } from './server-context.js';
import { shared } from './within.js';

type Checked = Pick<ServerContext, 'store' | 'limits'>;

const running = new WeakMap<BlockStore, () => ReturnType<BlockStore['check']>>();

/** Those who ask while a check runs share it. */
function checkOnce(store: BlockStore, limitMs: number): ReturnType<BlockStore['check']> {
  const check = running.get(store) ?? shared(() => store.check({ limitMs }));
  running.set(store, check);
  return check();
}

/** How each instance is, by its own check; one that does not answer in time, or fails, is not well. */
export async function checkInstances({ store, limits }: Checked): Promise<readonly InstanceCheck[]> {
  const checks = await checkOnce(store, limits.checksMs);
  return [...checks].map(([instance, faults]) => ({ instance, ok: faults.length === 0, faults: [...faults] }));
}

/** Whether the server can do its work: every instance is well. The backends of a store that only reads (safety D2) are not. */
export async function readinessOf(checked: Checked): Promise<Readiness> {
  const instances = await checkInstances(checked);
  return { ready: instances.every(({ ok }) => ok), instances: [...instances] };
}
