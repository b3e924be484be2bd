import type { ContractKind } from '../contract/method-facts.js';
import { methodFacts } from '../contract/method-facts.js';
import { VbsError } from '../errors.js';
import type { LayerOptions } from './layers/index.js';
import { layered } from './layers/index.js';
import { withoutWithdrawn } from './opened-faults.js';
import type { OpenedInstance } from './opened-instance.js';
import { readOwner } from './owner-lock.js';
import type { PreparedInstance } from './prepare-instance.js';

/** An instance that another process owns: every method refuses, and names the owner (safety F1). */
export function unownedInstance<K extends ContractKind>(
  { kind, provider, pluginName, withdrawn }: PreparedInstance<K>,
  name: string,
  stateDirectory: string,
  options: LayerOptions,
): OpenedInstance<K> {
  const refuse = async (): Promise<never> => {
    const owner = await readOwner(stateDirectory, name);
    const who =
      owner === null ? 'another process' : `the process ${owner.pid}${owner.endpoint === undefined ? '' : ` (${owner.endpoint})`}`;
    throw new VbsError(
      'FAILED_PRECONDITION',
      `${name} was opened by ${who}, and what it makes lives and ends with that process: ask there, or end it and start this one again`,
      { context: { reason: 'owned-elsewhere', owner } },
    );
  };
  const capabilities = withoutWithdrawn(kind, new Set(provider.capabilities), withdrawn);
  const target = Object.fromEntries(Object.keys(methodFacts[kind]).map((method) => [method, refuse]));
  return {
    name,
    kind,
    pluginName,
    provider,
    capabilities: capabilities as OpenedInstance<K>['capabilities'],
    traits: {} as OpenedInstance<K>['traits'],
    contract: layered({ instance: name, kind, target, capabilities, options }),
    ownedHere: false,
    check: async () => [],
    close: async () => undefined,
  };
}
