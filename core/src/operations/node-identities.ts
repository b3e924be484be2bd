import type { Knex } from 'knex';
import type { Call } from '../contract/call.js';
import type { Protocol } from '../contract/connection.js';
import type { VmmDelegate } from '../delegate/delegate.js';
import { VbsError } from '../errors.js';
import { identitiesInUse } from '../metadata/identities-in-use.js';
import type { Instances } from './instances.js';

/** The names under which a node connects by one of its instances. */
interface Identity {
  readonly node: VmmDelegate;
  readonly names: readonly string[];
  /** Asks the node again. */
  readonly ask: (call: Call) => Promise<{ readonly initiators: readonly string[] }>;
}

/**
 * Refuses a node that connects under the name of another (safety F5): each would be let in by the other's access lists, and a target ends
 * the session of one when the other logs in. It goes by what nodes have answered this process, and at first by what live exports let in; a
 * node is asked again only when its answer stands against another's. Nodes on one machine are one initiator, and are not compared.
 */
export class NodeIdentities {
  readonly #instances: Instances;
  readonly #db: Knex;
  /** By instance and protocol. */
  readonly #known = new Map<string, Identity>();
  #seeded: Promise<void> | undefined;

  constructor(instances: Instances, db: Knex) {
    this.#instances = instances;
    this.#db = db;
  }

  /**
   * Asks a node under which names it connects, by its initiator or, where that is null, by its hypervisor, and keeps the answer.
   * @throws FAILED_PRECONDITION: another node has one of the names; `context` has `nodes` and `initiators`. Also what the node throws.
   */
  async identify(
    call: Call,
    node: VmmDelegate,
    route: { readonly initiator: string | null; readonly protocol: Protocol },
  ): Promise<readonly string[]> {
    const ask = this.#asking(node, route);
    const { initiators: names } = await ask(call);
    this.#seeded ??= this.#seed();
    try {
      await this.#seeded;
    } catch (error) {
      this.#seeded = undefined;
      throw error;
    }
    const asked = new Set<Identity>();
    for (;;) {
      const found = this.#sameName(node, names);
      if (found === undefined) break;
      const [key, other] = found;
      if (asked.has(other)) throw refused(node, other, names);
      const now = { ...other, names: await namesNow(call, other) };
      asked.add(now);
      this.#known.set(key, now);
    }
    this.#known.set(keyOf(node, route), { node, names, ask });
    return names;
  }

  #sameName(node: VmmDelegate, names: readonly string[]): readonly [string, Identity] | undefined {
    return [...this.#known].find(
      ([, other]) => other.node.name !== node.name && other.node.machine !== node.machine && shared(names, other.names).length > 0,
    );
  }

  #asking(node: VmmDelegate, { initiator, protocol }: { readonly initiator: string | null; readonly protocol: Protocol }): Identity['ask'] {
    if (initiator !== null) return (call) => this.#instances.initiator(node.name, initiator).contract.getIdentity(call);
    return (call) => node.hypervisor.contract.getIdentity(call, { protocol });
  }

  async #seed(): Promise<void> {
    const { vmmNodes, volumeServers } = this.#instances.delegates;
    const exporters = new Map([...volumeServers.values()].flatMap(({ exporters: all }) => [...all]));
    for (const { node: name, initiator, exporter, initiators: names } of await identitiesInUse(this.#db)) {
      const node = vmmNodes.get(name);
      const protocol = exporters.get(exporter)?.provider.protocol;
      // Of what is not configured any more nothing can be asked.
      if (node === undefined || protocol === undefined || (initiator !== null && !node.initiators.has(initiator))) continue;
      const route = { initiator, protocol };
      if (!this.#known.has(keyOf(node, route))) this.#known.set(keyOf(node, route), { node, names, ask: this.#asking(node, route) });
    }
  }
}

function keyOf(node: VmmDelegate, { initiator, protocol }: { readonly initiator: string | null; readonly protocol: Protocol }): string {
  return `${node.name} ${initiator ?? ''} ${protocol}`;
}

/** What a node answers now; one that cannot be asked has the names that it had. */
async function namesNow(call: Call, { node, names, ask }: Identity): Promise<readonly string[]> {
  try {
    return (await ask(call)).initiators;
  } catch (error) {
    call.log.warn({ err: error, node: node.name }, 'A node that has the initiator name of another could not be asked again');
    return names;
  }
}

/** An IQN is the same in either case (RFC 3722), and a MAC address too. */
function shared(some: readonly string[], others: readonly string[]): readonly string[] {
  const known = new Set(others.map((name) => name.toLowerCase()));
  return some.filter((name) => known.has(name.toLowerCase()));
}

function refused(node: VmmDelegate, other: Identity, names: readonly string[]): VbsError {
  const initiators = shared(names, other.names);
  const nodes = [node.name, other.node.name];
  const message = `The nodes ${nodes.join(' and ')} both connect as ${initiators.join(', ')}: each would be let into the other's exports. Give one of them a name of its own (iSCSI: InitiatorName in /etc/iscsi/initiatorname.iscsi, then restart iscsid), and attach again.`;
  return new VbsError('FAILED_PRECONDITION', message, { context: { nodes, initiators } });
}
