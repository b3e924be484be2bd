import type { ConfigurationFault } from '../config/fault.js';
import type { OpenedExporter } from './delegate.js';

/**
 * Why an exporter may not serve as it is configured: anybody on its network could write to every volume (safety E4). One that
 * another process owns was judged there.
 */
export function networkFaults(
  { name, capabilities, traits, ownedHere, openNetwork }: OpenedExporter,
  path: string,
): readonly ConfigurationFault[] {
  if (openNetwork || !ownedHere || traits.reach === 'loopback') return [];
  if (capabilities.has('acl') || capabilities.has('chap') || capabilities.has('tls')) return [];
  const message = `${name} has neither acl, chap nor tls: whoever reaches it could write to every volume. Configure one of them, let it listen on loopback alone, or say openNetwork: true if nobody else can reach its network`;
  return [{ path, message }];
}
