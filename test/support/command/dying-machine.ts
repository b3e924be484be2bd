import { VbsError } from '@vbs/core';
import { type ToolFault, toolFaults } from '../../stand-ins/frame/faults.js';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';

/** A tool's fault; or this process is killed before, or after, the n-th command, and runs no later one. */
export type CommandFault = ToolFault | 'process killed before' | 'process killed after';
export const commandFaults: readonly CommandFault[] = [...toolFaults, 'process killed before', 'process killed after'];

/** A machine that stands for this process: from its death on, nothing is run. */
export class DyingMachine extends StandInMachine {
  #armed: { readonly nth: number; readonly after: boolean } | undefined;
  #ran = 0;
  #dead = false;

  arm(nth: number, fault: CommandFault): void {
    if (fault.startsWith('process killed')) this.#armed = { nth, after: fault.endsWith('after') };
    else this.faults.arm(nth, fault as ToolFault);
  }

  /** Whether there was an n-th command. */
  get met(): boolean {
    return this.#armed === undefined ? this.faults.met > 0 : this.#ran >= this.#armed.nth;
  }

  override async run(...given: Parameters<StandInMachine['run']>): ReturnType<StandInMachine['run']> {
    if (this.#dead) throw new VbsError('DEADLINE_EXCEEDED', 'this process was killed');
    if (this.#armed === undefined) return await super.run(...given);
    this.#ran += 1;
    if (this.#ran !== this.#armed.nth) return await super.run(...given);
    this.#dead = true;
    if (this.#armed.after) await super.run(...given);
    throw new VbsError('DEADLINE_EXCEEDED', 'this process was killed');
  }
}
