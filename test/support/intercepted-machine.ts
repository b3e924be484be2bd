import type { Machine } from '@vbs/core';

/** A machine that acts otherwise in what is given here; all else is the real one's. */
export function interceptedMachine(machine: Machine, own: Partial<Omit<Machine, 'name'>>): Machine {
  return {
    name: machine.name,
    run: (...given) => machine.run(...given),
    start: (...given) => machine.start(...given),
    find: (...given) => machine.find(...given),
    stop: (...given) => machine.stop(...given),
    readFile: (...given) => machine.readFile(...given),
    writeFile: (...given) => machine.writeFile(...given),
    listDirectory: (...given) => machine.listDirectory(...given),
    look: (...given) => machine.look(...given),
    waitForPath: (...given) => machine.waitForPath(...given),
    settle: (...given) => machine.settle(...given),
    stateDirectory: (...given) => machine.stateDirectory(...given),
    bootId: (...given) => machine.bootId(...given),
    ...own,
  };
}
