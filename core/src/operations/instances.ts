import type { Delegates, OpenedBackend, OpenedExporter, VmmDelegate, VolumeDelegate } from '../delegate/delegate.js';
import { VbsError } from '../errors.js';
import type { OpenedInstance } from '../plugin/opened-instance.js';

function require<T>(found: T | undefined, kind: string, name: string): T {
  if (found !== undefined) return found;
  throw new VbsError(
    'FAILED_PRECONDITION',
    `the ${kind} ${name} is not in the configuration any more; put it back, or give the resource up`,
    {
      context: { instance: name },
    },
  );
}

/** The opened instances by the names that the metadata keeps. @throws FAILED_PRECONDITION: the configuration has it no more. */
export class Instances {
  readonly #delegates: Delegates;

  constructor(delegates: Delegates) {
    this.#delegates = delegates;
  }

  backends(): readonly OpenedBackend[] {
    return [...this.#delegates.volumeServers.values()].flatMap((server) => [...server.backends.values()]);
  }

  exporters(): readonly OpenedExporter[] {
    return [...this.#delegates.volumeServers.values()].flatMap((server) => [...server.exporters.values()]);
  }

  nodes(): readonly VmmDelegate[] {
    return [...this.#delegates.vmmNodes.values()];
  }

  get delegates(): Delegates {
    return this.#delegates;
  }

  backend(name: string): OpenedBackend {
    return require(this.volumeServerOf(name).backends.get(name), 'backend', name);
  }

  /** The volume server of a backend or exporter. */
  volumeServerOf(name: string): VolumeDelegate {
    const [server = ''] = name.split('/');
    return require(this.#delegates.volumeServers.get(server), 'volume server', server);
  }

  exporter(name: string): OpenedExporter {
    return require(this.volumeServerOf(name).exporters.get(name), 'exporter', name);
  }

  node(name: string): VmmDelegate {
    return require(this.#delegates.vmmNodes.get(name), 'VMM node', name);
  }

  initiator(node: string, name: string): OpenedInstance<'initiator'> {
    return require(this.node(node).initiators.get(name), 'initiator', name);
  }

  resolver(name: string): OpenedInstance<'cloudResolver'> {
    return require(this.#delegates.resolvers.get(name), 'resolver', name);
  }

  /** Whether this process has every one of these instances open. */
  canServe(names: readonly string[]): boolean {
    const open = new Map<string, boolean>();
    const note = ({ name, ownedHere }: OpenedInstance): unknown => open.set(name, ownedHere);
    this.backends().forEach(note);
    this.exporters().forEach(note);
    for (const node of this.nodes()) [node.hypervisor, ...node.initiators.values()].forEach(note);
    [...this.#delegates.resolvers.values()].forEach(note);
    return names.every((name) => open.get(name) === true);
  }
}
