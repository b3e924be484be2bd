import type { Argument, Machine } from '@vbs/core';
import { interceptedMachine } from '../../support/intercepted-machine.js';

const tools = new Set(['vblade', 'cat']);

/** This machine, whose vblades and looks at interfaces are in a network namespace: `ip netns exec` becomes the tool, with its process id. */
export function inNamespace(machine: Machine, namespace: string): Machine {
  const led = (command: readonly [string, ...Argument[]]): readonly [string, ...Argument[]] =>
    tools.has(command[0]) ? ['ip', 'netns', 'exec', namespace, ...command] : command;
  return interceptedMachine(machine, {
    run: (call, command, options) => machine.run(call, led(command), options),
    start: (call, name, command, options) => machine.start(call, name, led(command), options),
  });
}
