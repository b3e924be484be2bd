import test from 'ava';
import { FaultyRoad } from './support/faulty-road.js';
import type { RoadKind } from './support/road.js';

/** Every command of attach and detach meets every fault of safety A7 once. */
export function testFaultsOfRoad(kind: RoadKind): void {
  test(`road ${kind}, on stand-in tools › attach-volume ends well whichever of its commands meets whichever fault`, async (t) => {
    const faulty = await FaultyRoad.make(t, kind);
    let undone = 0;
    const commands = await faulty.eachFault(async (given) => {
      const { error, operation, label } = await faulty.meet(given, (options) => faulty.attach(options));
      if (operation?.state !== 'succeeded') {
        undone += 1;
        t.truthy(error, label);
        t.is(await faulty.volumeState(), 'available', label);
        faulty.requireNothingLeft(label);
        await faulty.attach();
      }
      t.is(await faulty.volumeState(), 'in-use', label);
      await faulty.requireBytes(label);
      await faulty.detach();
      faulty.requireNothingLeft(`${label}, then detached`);
    });
    t.log(`${commands} commands, ${undone} attaches taken back`);
    t.true(undone > 0 && commands >= 5);
  });

  test(`road ${kind}, on stand-in tools › detach-volume ends well whichever of its commands meets whichever fault`, async (t) => {
    const faulty = await FaultyRoad.make(t, kind);
    let refused = 0;
    const commands = await faulty.eachFault(async (given) => {
      await faulty.attach();
      await faulty.requireBytes(`before ${given.fault} ${given.nth}`);
      const { error, operation, label } = await faulty.meet(given, (options) => faulty.detach(options));
      if (operation?.state !== 'succeeded') {
        refused += 1;
        t.truthy(error, label);
        t.is(await faulty.volumeState(), 'in-use', label);
        await faulty.requireBytes(label);
        await faulty.detach();
      }
      t.is(await faulty.volumeState(), 'available', label);
      faulty.requireNothingLeft(label);
      await faulty.requireNeighbours(label);
    });
    t.log(`${commands} commands, ${refused} detaches refused`);
    t.true(commands >= 5);
  });

  test(`road ${kind}, on stand-in tools › an attach that is refused at the slot is taken back whichever command of that meets whichever fault`, async (t) => {
    const faulty = await FaultyRoad.make(t, kind);
    const { road } = faulty;
    const occupy = (): (() => void) => road.vms.occupy(road.vms.ids[0], faulty.slot);
    const ranBy = async (act: () => Promise<unknown>): Promise<readonly string[]> => {
      const from = road.faults.ran.length;
      await act();
      return road.faults.ran.slice(from).map((line) => line.replace(/ .*/, ''));
    };
    const good = await ranBy(() => faulty.attach());
    await faulty.detach();
    const free = occupy();
    const bad = await ranBy(() => t.throwsAsync(faulty.attach()));
    free();
    // From the last one that both have in common.
    const from = bad.findIndex((tool, index) => tool !== good[index]);
    const commands = await faulty.eachFault(async (given) => {
      const release = occupy();
      const { operation, label } = await faulty.meet(given, async (options) => {
        await t.throwsAsync(faulty.attach(options));
      });
      t.is(operation?.state, 'failed', label);
      release();
      t.is(await faulty.volumeState(), 'available', label);
      faulty.requireNothingLeft(label);
      await faulty.requireNeighbours(label);
    }, from);
    t.log(`${from} commands forward, ${commands} with those that take it back`);
    t.true(from > 0 && commands > from);
    await faulty.attach();
    await faulty.requireBytes('at the end');
    await faulty.detach();
  });
}
