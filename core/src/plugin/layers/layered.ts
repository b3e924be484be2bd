import type { ContractKind, MethodFacts } from '../../contract/method-facts.js';
import { methodFacts } from '../../contract/method-facts.js';
import { VbsError } from '../../errors.js';
import type { ContractTypes } from '../opened-instance.js';
import { capabilityGuard } from './capability-guard.js';
import { errorContext } from './error-context.js';
import type { Layer, LayeredMethod, LayerOptions, Method } from './layer.js';
import { logCall } from './log-call.js';
import { retryUnavailable } from './retry-unavailable.js';
import { timeLimit } from './time-limit.js';

/** The order is fixed; the first is the outermost. Each says in its own file what it does. */
const layers: readonly Layer[] = [capabilityGuard, errorContext, timeLimit, retryUnavailable, logCall];

export interface Layering<K extends ContractKind> {
  readonly instance: string;
  readonly kind: K;
  /** What the plugin opened; its methods are looked up at each call. */
  readonly target: object;
  readonly capabilities: ReadonlySet<string>;
  /** Of the kind's methods, unless told otherwise those of the contract. */
  readonly facts?: Readonly<Record<string, MethodFacts>>;
  readonly options?: LayerOptions;
}

function methodOf(target: object, instance: string, method: string): Method {
  return async (call, request) => {
    const found: unknown = Reflect.get(target, method);
    if (typeof found !== 'function') throw new VbsError('PLUGIN_INVALID', `${instance} has no method ${method}`);
    return Reflect.apply(found, target, [call, request]);
  };
}

/** An instance's contract behind all layers: every method of the contract exists, whatever the instance declares. */
export function layered<K extends ContractKind>({
  instance,
  kind,
  target,
  capabilities,
  facts = methodFacts[kind],
  options = {},
}: Layering<K>): ContractTypes[K]['contract'] {
  const methods = Object.entries(facts).map(([method, methodFact]): [string, Method] => {
    const about: LayeredMethod = { instance, kind, method, facts: methodFact, capabilities, options };
    return [method, layers.reduceRight((next, layer) => layer(next, about), methodOf(target, instance, method))];
  });
  // The table of facts has exactly the contract's methods: that is checked where it is declared.
  return Object.freeze(Object.fromEntries(methods)) as unknown as ContractTypes[K]['contract'];
}
