import type { ConfigurationFault } from '../config/fault.js';
import type { OpenedExporter } from './delegate.js';

/**
 * Why an exporter may not serve as it is configured: anybody on its network could write to every volume (safety E4).
 * What has lifetime `process` serves this process's own hypervisors alone (safety F1), and its plugin keeps it on loopback.
 */
export function networkFaults({ name, capabilities, provider, openNetwork }: OpenedExporter, path: string): readonly ConfigurationFault[] {
  if (openNetwork || provider.lifetime === 'process') return [];
  if (capabilities.has('acl') || capabilities.has('chap') || capabilities.has('tls')) return [];
  const message = `${name} has neither acl, chap nor tls: whoever reaches it could write to every volume. Configure one of them, or say openNetwork: true if nobody else can reach its network`;
  return [{ path, message }];
}
