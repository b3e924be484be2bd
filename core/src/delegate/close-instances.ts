import { VbsError } from '../errors.js';
import { withContext } from '../plugin/layers/index.js';
import type { OpenedInstance } from '../plugin/opened-instance.js';
import { withinLimit } from '../plugin/within-limit.js';

type Closing = Pick<OpenedInstance, 'name' | 'kind' | 'provider' | 'close'>;

/** Guests let go of their disks before what serves the disks goes, and what lives in this process before what outlives it. */
const groups: readonly ((instance: Closing) => boolean)[] = [
  ({ kind, provider }) => kind === 'hypervisor' && 'lifetime' in provider && provider.lifetime === 'process',
  ({ kind, provider }) => kind === 'targetExporter' && 'lifetime' in provider && provider.lifetime === 'process',
  () => true,
];

async function closeOne({ name, close }: Closing, limitMs: number): Promise<readonly VbsError[]> {
  const late = (): VbsError => new VbsError('DEADLINE_EXCEEDED', `${name} did not close within ${limitMs} ms`, { context: { limitMs } });
  try {
    await withinLimit(close(), limitMs, late);
    return [];
  } catch (error) {
    return [withContext(error, { instance: name })];
  }
}

/**
 * Closes every instance: hypervisors of lifetime `process`, then such exporters, then the others; those of a group at once,
 * each within `limitMs`. One that fails does not keep the others open.
 * @throws the failure of the one that did not close; of several, INTERNAL with `context.failures`.
 */
export async function closeInstances(instances: readonly Closing[], limitMs: number): Promise<void> {
  const failures: VbsError[] = [];
  let open = instances;
  for (const belongs of groups) {
    const ended = await Promise.all(open.filter(belongs).map((instance) => closeOne(instance, limitMs)));
    failures.push(...ended.flat());
    open = open.filter((instance) => !belongs(instance));
  }
  const [first] = failures;
  if (first === undefined) return;
  if (failures.length === 1) throw first;
  throw new VbsError('INTERNAL', `several instances did not close: ${failures.map(({ message }) => message).join('; ')}`, {
    context: { failures: failures.map((failure) => failure.toJSON()) },
    cause: new AggregateError(failures),
  });
}
