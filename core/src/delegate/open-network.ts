import type { ConfigurationFault } from '../config/fault.js';
import type { OpenedExporter } from './delegate.js';

/** Why an exporter may not serve as it is configured: anybody on its network could write to every volume (safety E4). */
export function networkFaults({ name, capabilities, traits, openNetwork }: OpenedExporter, path: string): readonly ConfigurationFault[] {
  if (openNetwork || traits.reach === 'loopback') return [];
  if (capabilities.has('acl') || capabilities.has('chap') || capabilities.has('tls')) return [];
  const message = `${name} has neither acl, chap nor tls: whoever reaches it could write to every volume. Configure one of them, or say openNetwork: true if nobody else can reach its network`;
  return [{ path, message }];
}
