import type { LocatorKind } from '../contract/connection.js';
import { VbsError } from '../errors.js';
import type { OpenedInstance } from '../plugin/opened-instance.js';
import type { Delegates, OpenedBackend, OpenedExporter, VmmDelegate, VolumeDelegate } from './delegate.js';

/** The way of a volume's bytes to a VM: an exporter, and the initiator of the node, or null when its hypervisor opens the protocol itself. */
export interface Route {
  readonly exporter: OpenedExporter;
  readonly initiator: OpenedInstance<'initiator'> | null;
}

/** The route from one backend to one node, or why there is none. */
export type ListedRoute = { readonly backend: string; readonly node: string } & (
  | {
      readonly route: Route;
      /** The instances of the route whose work ends with the process that has them open: their lifetime is `process` (safety F1). */
      readonly processBound: readonly string[];
      readonly reason: null;
    }
  | { readonly route: null; readonly reason: VbsError }
);

function initiatorOf(node: VmmDelegate, exporter: OpenedExporter): OpenedInstance<'initiator'> | null | undefined {
  const { protocol, lifetime } = exporter.provider;
  // A guest that outlives this process would lose its disk with it (safety F1).
  if (lifetime === 'process' && node.hypervisor.provider.lifetime !== 'process') return undefined;
  if (node.hypervisor.provider.opens.includes(protocol)) return null;
  return [...node.initiators.values()].find((initiator) => initiator.provider.protocol === protocol);
}

function noRoute(server: VolumeDelegate, backend: OpenedBackend, locators: readonly LocatorKind[], node: VmmDelegate): VbsError {
  const exporters = [...server.exporters.values()].map(({ name, provider: { protocol, accepts, lifetime } }) => ({
    name,
    protocol,
    accepts,
    lifetime,
  }));
  const { opens, lifetime } = node.hypervisor.provider;
  const hypervisor = { name: node.hypervisor.name, opens, lifetime };
  const initiators = [...node.initiators.values()].map(({ name, provider: { protocol } }) => ({ name, protocol }));

  const list = (items: readonly string[], none: string): string => (items.length === 0 ? none : items.join(', '));
  const exporterTexts = exporters.map(
    (exporter) => `${exporter.name} (${exporter.protocol}, accepts ${exporter.accepts.join(' and ')}, lifetime ${exporter.lifetime})`,
  );
  const initiatorTexts = initiators.map((initiator) => `${initiator.name} (${initiator.protocol})`);
  return new VbsError(
    'FAILED_PRECONDITION',
    `there is no route from ${backend.name} to ${node.name}. ` +
      `Here: volumes as ${locators.join(' or ')}; exporters of ${server.name}: ${list(exporterTexts, 'none')}. ` +
      `There: the hypervisor ${hypervisor.name} (lifetime ${lifetime}) opens ${list(opens, 'no protocol itself')}; ` +
      `initiators: ${list(initiatorTexts, 'none')}. Configure an exporter and an initiator of one protocol`,
    { context: { reason: 'no-route', backend: backend.name, locators, exporters, node: node.name, hypervisor, initiators } },
  );
}

/**
 * The route of an attachment: the first exporter of the volume's server, in the order of the configuration, that accepts the
 * volume's locator and whose protocol the node's hypervisor opens or one of its initiators speaks. An exporter of lifetime
 * `process` leads only to a hypervisor of lifetime `process`. Without `locator`, any that the backend makes will do.
 * @throws FAILED_PRECONDITION: there is none; message and context list what both sides have.
 */
export function findRoute(volumeServer: VolumeDelegate, backend: OpenedBackend, node: VmmDelegate, locator?: LocatorKind): Route {
  const locators = locator === undefined ? backend.provider.locators : [locator];
  for (const exporter of volumeServer.exporters.values()) {
    if (!exporter.provider.accepts.some((kind) => locators.includes(kind))) continue;
    const initiator = initiatorOf(node, exporter);
    if (initiator !== undefined) return { exporter, initiator };
  }
  throw noRoute(volumeServer, backend, locators, node);
}

function listRoute(server: VolumeDelegate, backend: OpenedBackend, node: VmmDelegate): ListedRoute {
  const ends = { backend: backend.name, node: node.name };
  try {
    const route = findRoute(server, backend, node);
    const bound = [route.exporter, node.hypervisor].filter(({ provider }) => provider.lifetime === 'process');
    return { ...ends, route, processBound: bound.map(({ name }) => name), reason: null };
  } catch (error) {
    if (error instanceof VbsError) return { ...ends, route: null, reason: error };
    throw error;
  }
}

/** The route from each backend to each node, in the order of the configuration, for doctor. */
export function listRoutes({ volumeServers, vmmNodes }: Pick<Delegates, 'volumeServers' | 'vmmNodes'>): readonly ListedRoute[] {
  return [...volumeServers.values()].flatMap((server) =>
    [...server.backends.values()].flatMap((backend) => [...vmmNodes.values()].map((node) => listRoute(server, backend, node))),
  );
}
