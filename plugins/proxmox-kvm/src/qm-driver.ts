import { type Call, type CommandRunner, isVbsError, type Machine, type RunOptions, toVbsError, VbsError } from '@vbs/core';
import type { commands } from './commands.js';
import type { Change, Driver } from './driver.js';
import { mapText } from './map-error.js';
import { parseConfigFile, type Vm } from './vm.js';

export type Commands = typeof commands;

/** A lock is waited for 10 s, a guest 6 s, and qm itself takes a second to start. */
const changeLimitMs = 30_000;

/** The node's own tool. What VMs have is read in the cluster's file system, for which no command is run. */
export class QmDriver implements Driver {
  constructor(
    private readonly machine: Machine,
    private readonly runner: CommandRunner<Commands>,
    private readonly directory: string,
  ) {}

  async look(call: Call): Promise<readonly Vm[]> {
    return await this.#read(call, '*');
  }

  async find(call: Call, vmid: string): Promise<Vm | undefined> {
    const [vm] = await this.#read(call, vmid);
    return vm;
  }

  async isRunning(call: Call, vmid: string): Promise<boolean> {
    const { stdout } = await this.#run(() => this.runner.run(call, 'status', { vmId: vmid }));
    // Version 1 writes the word alone.
    const [, state] = /^(?:status: )?(\w+)\s*$/m.exec(stdout) ?? [];
    if (state !== undefined) return state !== 'stopped';
    throw new VbsError('INTERNAL', `qm status answers nothing that is known: ${JSON.stringify(stdout.slice(0, 200))}.`);
  }

  async change(call: Call, { vm, option, act, guard }: Change): Promise<VbsError | undefined> {
    const values = { vmId: vm.vmid, vmDev: option, digest: vm.digest };
    const options: RunOptions = { guard, timeLimitMs: changeLimitMs };
    try {
      await this.#run(async () => {
        if (act === 'delete') return await this.runner.run(call, 'detach', values, options);
        if (act === 'revert') return await this.runner.run(call, 'revert', values, options);
        return await this.runner.run(call, 'attach', { ...values, drive: act.set }, options);
      });
      return undefined;
    } catch (error) {
      const failure = toVbsError(error);
      // What has no exit code of the tool was not begun, unless its outcome is unknown.
      const isBegun = failure.context.exitCode !== undefined || ['DEADLINE_EXCEEDED', 'UNAVAILABLE', 'INTERNAL'].includes(failure.code);
      if (isBegun) return failure;
      throw failure;
    }
  }

  async check(call: Call): Promise<readonly string[]> {
    const faults: string[] = [];
    for (const act of [() => this.look(call), () => this.#run(() => this.runner.run(call, 'list', {}))]) {
      try {
        await act();
      } catch (error) {
        faults.push(toVbsError(error).message);
      }
    }
    return faults;
  }

  async close(): Promise<void> {}

  /** @throws UNAVAILABLE: the folder is not there, and so no VM's absence means anything (safety D1). */
  async #read(call: Call, name: string): Promise<readonly Vm[]> {
    const pattern = `${this.directory}/${name}.conf`;
    const seen = await this.machine.look(call, [this.directory, pattern]);
    if (!seen.has(this.directory)) {
      const message = `${this.directory} is not there: does pve-cluster run (systemctl status pve-cluster), and is this a Proxmox VE node?`;
      throw new VbsError('UNAVAILABLE', message, { context: { path: this.directory } });
    }
    try {
      return seen.matching(pattern).flatMap(({ path }) => {
        const [, vmid] = /\/([1-9]\d{2,8})\.conf$/.exec(path) ?? [];
        const text = vmid === undefined ? undefined : seen.text(path);
        return vmid === undefined || text === undefined ? [] : [parseConfigFile(vmid, text)];
      });
    } catch (error) {
      if (!isVbsError(error) || error.code !== 'PERMISSION_DENIED') throw error;
      const message = `${error.message} Run VBS as root, or add its user on the node to the group www-data, which may read VM configurations.`;
      throw new VbsError('PERMISSION_DENIED', message, { context: error.context, cause: error });
    }
  }

  async #run<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (!isVbsError(error) || error.code !== 'INTERNAL') throw error;
      const { stderr } = error.context;
      throw mapText(typeof stderr === 'string' ? stderr : '', error.context, error) ?? error;
    }
  }
}
