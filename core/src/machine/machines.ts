import type { MachineConfiguration } from '../config/configuration.js';
import type { Logger } from '../contract/call.js';
import { VbsError } from '../errors.js';
import { createLocalMachine } from './local-machine.js';
import type { LocalMachine, Machine } from './machine.js';

/** Gives the machine that a volume server or a VMM node is configured with; a service that an embedder may replace. */
export interface Machines {
  machine(configuration: 'local'): LocalMachine;
  machine(configuration: MachineConfiguration): Machine;
}

/** The default: the machine of this process, one for all that are configured `local`, so that its limits hold for them together. */
export class DefaultMachines implements Machines {
  readonly local: LocalMachine;

  constructor(options: { readonly stateDirectory: string; readonly log: Logger }) {
    this.local = createLocalMachine({ name: 'local', ...options });
  }

  machine(configuration: 'local'): LocalMachine;
  machine(configuration: MachineConfiguration): Machine;
  machine(configuration: MachineConfiguration): Machine {
    if (configuration === 'local') return this.local;
    const fault = `The machine "ssh: ${configuration.ssh.host}" cannot be used: this version runs tools on the local machine only, so leave "machine" out.`;
    throw new VbsError('CONFIG_INVALID', fault, { context: { faults: [fault] } });
  }
}
