import { type Machine, VbsError } from '@vbs/core';
import { interceptedMachine } from '../../support/intercepted-machine.js';

/** What happens to one act (safety A7); `dies` and every later one fails, as when this process is killed there. */
export const ietFaults = ['fails', 'fails after its effect', 'hangs', 'is late', 'dies before', 'dies after'] as const;
export type IetFault = (typeof ietFaults)[number];

export interface FaultyMachine extends Machine {
  /** The commands and writes since it was armed. */
  readonly acts: readonly string[];
  arm(): void;
}

/** A machine on which the n-th command or write of a file from `arm` on goes wrong, and the others happen. */
export function faultyMachine(machine: Machine, nth: number, fault: IetFault): FaultyMachine {
  const acts: string[] = [];
  let dead = false;
  let armed = false;
  const guarded = async <T>(what: string, act: () => Promise<T>, failure: () => VbsError): Promise<T> => {
    if (!armed) return await act();
    if (dead) throw new VbsError('DEADLINE_EXCEEDED', 'this process was killed');
    acts.push(what);
    if (acts.length !== nth) return await act();
    dead = fault.startsWith('dies');
    if (fault === 'is late' || fault === 'dies after' || fault === 'fails after its effect') await act();
    throw fault.startsWith('fails') ? failure() : new VbsError('DEADLINE_EXCEEDED', `${what} did not end in time`);
  };
  const run: Machine['run'] = (call, command, options) =>
    guarded(
      command.map(String).join(' '),
      () => machine.run(call, command, options),
      () => new VbsError('INTERNAL', 'it failed', { context: { exitCode: 255, stderr: 'Operation not permitted.\n' } }),
    );
  const writeFile: Machine['writeFile'] = (call, path, text, options) =>
    guarded(
      `write ${path}`,
      () => machine.writeFile(call, path, text, options),
      () => new VbsError('INTERNAL', `${path} could not be written`),
    );
  return Object.assign(interceptedMachine(machine, { run, writeFile }), { acts, arm: () => (armed = true) });
}
