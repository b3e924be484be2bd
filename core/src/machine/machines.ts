import type { MachineConfiguration } from '../config/configuration.js';
import type { Logger } from '../contract/call.js';
import { createLocalMachine } from './local-machine.js';
import type { LocalMachine, Machine } from './machine.js';
import { createSshMachine, type SshMachine } from './ssh/ssh-machine.js';

/** Gives the machine that a volume server or a VMM node is configured with; a service that an embedder may replace. */
export interface Machines {
  machine(configuration: 'local'): LocalMachine;
  machine(configuration: MachineConfiguration): Machine;
}

/**
 * The default: one machine for all that are configured alike, so that its limits hold for them together. Another machine is connected to
 * at its first call.
 */
export class DefaultMachines implements Machines {
  readonly local: LocalMachine;
  readonly #options: { readonly stateDirectory: string; readonly log: Logger };
  readonly #others = new Map<string, SshMachine>();

  constructor(options: { readonly stateDirectory: string; readonly log: Logger }) {
    this.#options = options;
    this.local = createLocalMachine({ name: 'local', ...options });
  }

  machine(configuration: 'local'): LocalMachine;
  machine(configuration: MachineConfiguration): Machine;
  machine(configuration: MachineConfiguration): Machine {
    if (configuration === 'local') return this.local;
    const { host, configFile = '', stateDirectory = '' } = configuration.ssh;
    const key = JSON.stringify([host, configFile, stateDirectory]);
    const machine = this.#others.get(key) ?? createSshMachine({ ...this.#options, configuration: configuration.ssh });
    this.#others.set(key, machine);
    return machine;
  }

  /** Ends the kept connections to other machines; they would otherwise end when they were unused for a minute, or with this process. */
  async close(): Promise<void> {
    await Promise.all([...this.#others.values()].map((machine) => machine.close()));
  }
}
