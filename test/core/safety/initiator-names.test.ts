import { join } from 'node:path';
import { type BlockStore, type Initiator, type LocalMachine, type Machines, VbsError } from '@vbs/core';
import { DefaultMachines } from '@vbs/core/internal/machine/machines.js';
import { openStore } from '@vbs/core/internal/open-block-store.js';
import test, { type ExecutionContext } from 'ava';
import { MiB, newDirectory, refusal, silent } from '../../support/store.js';
import { World } from '../../support/world/world.js';
import { worldPlugin } from '../../support/world/world-plugin.js';
import { worldTimes } from '../../support/world/world-store.js';

const wait = { wait: true } as const;

/** A machine for each that is configured, all of them this one. */
class ManyMachines implements Machines {
  readonly #local: LocalMachine;
  readonly #others = new Map<string, LocalMachine>();

  constructor(stateDirectory: string) {
    this.#local = new DefaultMachines({ stateDirectory, log: silent }).local;
  }

  machine(configuration: Parameters<Machines['machine']>[0]): LocalMachine {
    if (configuration === 'local') return this.#local;
    const { host } = configuration.ssh;
    const bound = (key: keyof LocalMachine): unknown => {
      const value: unknown = this.#local[key];
      return typeof value === 'function' ? value.bind(this.#local) : value;
    };
    const machine = this.#others.get(host) ?? new Proxy(this.#local, { get: (_target, key) => bound(key as keyof LocalMachine) });
    this.#others.set(host, machine);
    return machine;
  }
}

interface Nodes {
  readonly store: BlockStore;
  /** The name that each node's initiator answers, or `away`. */
  readonly names: Map<string, string>;
  /** Which nodes were asked, since this was read last. */
  asked(): readonly string[];
  attach(node: string): Promise<unknown>;
  /** The same store by another process. */
  again(): Promise<Nodes>;
}

/** A store with three nodes, each an SSH machine of its own, but where `hosts` says otherwise. */
async function makeNodes(t: ExecutionContext, hosts: Readonly<Record<string, string>> = { a: 'a', b: 'b', c: 'c' }): Promise<Nodes> {
  const directory = await newDirectory(t);
  const names = new Map(Object.keys(hosts).map((node) => [node, `iqn.2009-01.world:${node}`]));
  return open(t, directory, hosts, names);
}

async function open(
  t: ExecutionContext,
  directory: string,
  hosts: Readonly<Record<string, string>>,
  names: Map<string, string>,
): Promise<Nodes> {
  const world = new World(join(directory, 'world'));
  const stateDirectory = join(directory, 'state');
  const asked: string[] = [];
  const plugin = worldPlugin(world);
  const { initiator, hypervisor } = plugin.provides;
  type Instance = Parameters<typeof initiator.open>[0];
  const openInitiator = async (instance: Instance): Promise<Initiator<'extend', 'iscsi'>> => ({
    ...(await initiator.open(instance, {} as never)),
    getIdentity: async () => {
      const [node = ''] = instance.name.split('/');
      asked.push(node);
      const name = names.get(node) ?? '';
      if (name === 'away') throw new VbsError('UNAVAILABLE', `${node} is away`);
      return { initiators: [name] };
    },
  });
  const anywhere = {
    ...plugin,
    provides: {
      ...plugin.provides,
      initiator: { ...initiator, machine: 'any', open: openInitiator },
      hypervisor: { ...hypervisor, machine: 'any' },
    },
  };
  const node = (host: string): object => ({
    machine: { ssh: { host } },
    initiators: { iscsi: { plugin: 'world' } },
    hypervisor: { plugin: 'world' },
  });
  const store = await openStore(
    {
      database: { client: 'sqlite3', filename: join(directory, 'vbs.sqlite') },
      stateDirectory,
      plugins: [anywhere as never],
      volumeServers: { vs: { backends: { pool: { plugin: 'world' } }, exporters: { target: { plugin: 'world' } } } },
      vmmNodes: Object.fromEntries(Object.entries(hosts).map(([name, host]) => [name, node(host)])),
    },
    { logger: silent, machines: new ManyMachines(stateDirectory) as Machines },
    { times: worldTimes, layers: { retry: { retries: 0, firstPauseMs: 1 } } },
  );
  t.teardown(() => store.close());
  let drawn = 0;
  const attach = async (vmmHost: string): Promise<unknown> => {
    const { id: volumeId } = await store.createVolume({ size: MiB }, wait);
    return await store.attachVolume({ volumeId, vmmHost, vmId: `vm-of-${vmmHost}`, device: `xvd${'bcdefgh'[drawn++]}` }, wait);
  };
  return {
    store,
    names,
    asked: () => asked.splice(0),
    attach,
    again: async () => {
      await store.close();
      return await open(t, directory, hosts, names);
    },
  };
}

async function refused(t: ExecutionContext, attach: Promise<unknown>, nodes: readonly string[]): Promise<void> {
  const error = await refusal(t, attach, 'FAILED_PRECONDITION');
  t.deepEqual(error.context.nodes, nodes);
  for (const node of nodes) t.true(error.message.includes(node), error.message);
}

test('F5 › a node that connects under the name of another is refused, and the other goes on', async (t) => {
  const { names, attach, asked, store } = await makeNodes(t);
  names.set('b', 'IQN.2009-01.world:A');
  await attach('a');
  t.deepEqual(asked(), ['a']);
  await refused(t, attach('b'), ['b', 'a']);
  t.is((await store.describeAttachments()).items.length, 1);
  await attach('a');
  await attach('c');
  asked();
  await attach('a');
  t.deepEqual(asked(), ['a'], 'an attach asks its own node alone');
});

test('F5 › a node that was given a name of its own is let in, and so is who had the same until then', async (t) => {
  const { names, attach } = await makeNodes(t);
  names.set('b', 'iqn.2009-01.world:a');
  await attach('a');
  await refused(t, attach('b'), ['b', 'a']);
  names.set('a', 'iqn.2009-01.world:new');
  await attach('b');
  await attach('a');
  names.set('a', 'iqn.2009-01.world:a');
  await refused(t, attach('a'), ['a', 'b']);
});

test('F5 › a node that does not answer keeps nobody else from attaching, and the name that it had', async (t) => {
  const { names, attach } = await makeNodes(t);
  names.set('c', 'away');
  await attach('a');
  await attach('b');
  names.set('a', 'away');
  await attach('b');
  names.set('b', 'iqn.2009-01.world:a');
  await refused(t, attach('b'), ['b', 'a']);
});

test('F5 › another process knows whom live exports let in', async (t) => {
  const first = await makeNodes(t);
  await first.attach('a');
  const { names, attach } = await first.again();
  names.set('b', 'iqn.2009-01.world:a');
  await refused(t, attach('b'), ['b', 'a']);
});

test('F5 › of two nodes that begin at once under one name, one is refused', async (t) => {
  const { names, attach } = await makeNodes(t);
  names.set('b', 'iqn.2009-01.world:a');
  const ended = await Promise.allSettled([attach('a'), attach('b')]);
  t.deepEqual(ended.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
});

test('F5 › two nodes of the configuration on one machine are one initiator', async (t) => {
  const { names, attach } = await makeNodes(t, { a: 'one', b: 'one' });
  names.set('b', 'iqn.2009-01.world:a');
  await attach('a');
  await t.notThrowsAsync(attach('b'));
});
