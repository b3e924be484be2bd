import { readFile, writeFile } from 'node:fs/promises';
import type { BlockStore } from '@vbs/core';
import test from 'ava';
import { until } from '../support/store.js';
import { bytesOf } from './support/faulty-road.js';
import { Life } from './support/mortal-machine.js';
import { Road, roadKinds, volumeBytes } from './support/road.js';

const wait = { wait: true } as const;
const device = 'xvdb';
const place = { vmmHost: 'node1', vmId: 'vm1', device };
const mostCommands = 60;
/** A close that writes nothing of what runs, and waits for nothing: as the process's end. */
const abrupt = { drainMs: 0, leaveMs: 5_000, scanMs: 60_000 } as const;

type Deed = (store: BlockStore, volumeId: string) => Promise<unknown>;
const attach: Deed = (store, volumeId) => store.attachVolume({ volumeId, ...place }, wait);
const detach: Deed = (store, volumeId) => store.detachVolume({ volumeId }, wait);

/** Lets a process live until a command of its deed. Answers whether it died. */
async function liveUntil(road: Road, nth: number, volumeId: string, deed: Deed): Promise<boolean> {
  const life = new Life(Number.POSITIVE_INFINITY);
  let current = life;
  const store = await road.open({ times: abrupt, machine: (real) => deferred(() => current.machine(real), real) });
  current = new Life(nth);
  const done = deed(store, volumeId).catch((error: unknown) => error);
  await Promise.race([current.died, done]);
  await store.close().catch(() => undefined);
  const ending = await done;
  if (!current.isOver && ending instanceof Error) throw ending;
  return current.isOver;
}

/** The start of a store has commands too: they are not counted. */
function deferred<M extends object>(now: () => M, real: M): M {
  return new Proxy(real, { get: (_target, key) => (key === 'name' ? Reflect.get(real, key) : Reflect.get(now(), key)) });
}

/**
 * A vblade tells of itself when it starts, and the aoe module of a node that hears it has a device from then on, also where nobody has
 * asked for it yet: what is left of that serves nothing, and goes when its address is connected to again.
 */
const isConnected = (left: string): boolean => !left.startsWith('sys/block/etherd!');

async function repaired(road: Road, label: string): Promise<BlockStore> {
  const store = await road.open();
  const open = async () => (await store.describeOperations()).items.filter(({ state }) => state === 'running' || state === 'stuck');
  await until(`recovery after ${label}`, async () => (await open()).length === 0).catch(async (error: unknown) => {
    const left = JSON.stringify(await open());
    await store.close();
    throw new Error(`${label}: ${left}`, { cause: error });
  });
  return store;
}

for (const kind of roadKinds) {
  for (const [name, deed] of Object.entries({ 'attach-volume': attach, 'detach-volume': detach })) {
    test(`road ${kind}, on stand-in tools › VBS dies at any command of ${name}, and the next start repairs`, async (t) => {
      const road = await Road.make(t, kind);
      const first = await road.open();
      const { id: volumeId } = await first.createVolume({ size: volumeBytes }, wait);
      await first.close();
      await writeFile(road.server.lvm.dataFile(volumeId), bytesOf(volumeId));
      let deaths = 0;
      for (let nth = 1, died = true; died; nth++) {
        if (nth > mostCommands) throw new Error(`more than ${mostCommands} commands`);
        const label = `death after command ${nth}`;
        if (deed === detach) {
          const store = await road.open();
          await attach(store, volumeId);
          await store.close();
        }
        died = await liveUntil(road, nth, volumeId, deed);
        if (died) deaths += 1;
        const store = await repaired(road, label);
        t.teardown(() => store.close());
        let state = (await store.describeVolumes({ ids: [volumeId] })).items[0]?.state;
        t.true(state === 'available' || state === 'in-use', `${label}: ${state}`);
        if (state === 'available') {
          t.deepEqual(road.leftovers().filter(isConnected), [], label);
          await attach(store, volumeId);
        }
        t.true((await readFile(road.disk(device))).equals(bytesOf(volumeId)), `${label}: bytes`);
        await detach(store, volumeId);
        state = (await store.describeVolumes({ ids: [volumeId] })).items[0]?.state;
        t.is(state, 'available', label);
        t.deepEqual(road.leftovers(), [], `${label}, then detached`);
        await store.close();
      }
      t.log(`${deaths} deaths`);
      t.true(deaths >= 5);
    });
  }
}
