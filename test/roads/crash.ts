import { writeFile } from 'node:fs/promises';
import type { BlockStore, Machine } from '@vbs/core';
import test from 'ava';
import { until } from '../support/store.js';
import { bytesOf } from './support/faulty-road.js';
import { Life } from './support/mortal-machine.js';
import { Road, type RoadKind, volumeBytes } from './support/road.js';

const wait = { wait: true } as const;
const mostCommands = 60;
/** A close that writes nothing of what runs, and waits for nothing: as the process's end. */
const abrupt = { drainMs: 0, leaveMs: 5_000 } as const;

type Deed = (store: BlockStore, volumeId: string, road: Road) => Promise<unknown>;
const attach: Deed = (store, volumeId, { vms }) =>
  store.attachVolume({ volumeId, vmmHost: 'node1', vmId: vms.ids[0], device: vms.slot(0) }, wait);
const detach: Deed = (store, volumeId) => store.detachVolume({ volumeId }, wait);

/** Processes that follow one another: each recovers first, which is not counted, then lives until a command of its deed. */
class Lives {
  #now = new Life(Number.POSITIVE_INFINITY);

  constructor(
    private readonly road: Road,
    private readonly volumeId: string,
  ) {}

  /** A process that has recovered. */
  async start(label: string): Promise<BlockStore> {
    this.#now = new Life(Number.POSITIVE_INFINITY);
    const store = await this.road.open({ times: abrupt, machine: (real) => deferred(() => this.#now.machine(real), real) });
    const open = async () => (await store.describeOperations()).items.filter(({ state }) => state === 'running' || state === 'stuck');
    await until(`recovery after ${label}`, async () => (await open()).length === 0).catch(async (error: unknown) => {
      const left = JSON.stringify(await open());
      await store.close();
      throw new Error(`${label}: ${left}`, { cause: error });
    });
    return store;
  }

  /** Answers whether the process died in it. */
  async end(store: BlockStore, nth: number, deed: Deed): Promise<boolean> {
    const life = new Life(nth);
    this.#now = life;
    const done = deed(store, this.volumeId, this.road).catch((error: unknown) => error);
    await Promise.race([life.died, done]);
    // A close that waits for nothing tells what it left behind, as the death of a process would leave it.
    await store.close().catch(() => undefined);
    const ending = await done;
    if (!life.isOver && ending instanceof Error) throw ending;
    return life.isOver;
  }
}

function deferred(now: () => Machine, real: Machine): Machine {
  return new Proxy(real, { get: (_target, key) => (key === 'name' ? Reflect.get(real, key) : Reflect.get(now(), key)) });
}

/**
 * A vblade tells of itself when it starts, and the aoe module of a node that hears it has a device from then on, also where nobody has
 * asked for it yet: what is left of that serves nothing, and goes when its address is connected to again.
 */
const isConnected = (left: string): boolean => !left.startsWith('sys/block/etherd!');

/** VBS dies after each command of attach and detach once. */
export function testCrashesOfRoad(kind: RoadKind): void {
  for (const [name, deed] of Object.entries({ 'attach-volume': attach, 'detach-volume': detach })) {
    test(`road ${kind}, on stand-in tools › VBS dies at any command of ${name}, and the next start repairs`, async (t) => {
      const road = await Road.make(t, kind);
      const first = await road.open();
      const { id: volumeId } = await first.createVolume({ size: volumeBytes }, wait);
      await writeFile(road.server.lvm.dataFile(volumeId), bytesOf(volumeId));
      if (deed === detach) await attach(first, volumeId, road);
      await first.close();
      const lives = new Lives(road, volumeId);
      let deaths = 0;
      for (let nth = 1, died = true; died; nth++) {
        if (nth > mostCommands) throw new Error(`more than ${mostCommands} commands`);
        const label = `death after command ${nth - 1}`;
        const store = await lives.start(label);
        t.teardown(() => store.close());
        const state = async () => (await store.describeVolumes({ ids: [volumeId] })).items[0]?.state;
        const found = await state();
        t.true(found === 'available' || found === 'in-use', `${label}: ${found}`);
        if (found === 'available') {
          t.deepEqual(road.leftovers().filter(isConnected), [], label);
          await attach(store, volumeId, road);
        }
        t.true((await road.bytes(road.vms.slot(0))).equals(bytesOf(volumeId)), `${label}: bytes`);
        await detach(store, volumeId, road);
        t.is(await state(), 'available', label);
        t.deepEqual(road.leftovers(), [], `${label}, then detached`);
        if (deed === detach) await attach(store, volumeId, road);
        died = await lives.end(store, nth, deed);
        if (died) deaths += 1;
      }
      t.log(`${deaths} deaths`);
      t.true(deaths >= 5);
    });
  }
}
