import { type Call, type Machine, toVbsError, unlessCode, VbsError } from '@vbs/core';
import type { Change, Driver } from '../driver.js';
import { type SeenVm, seenVmOf, type Vm } from '../vm.js';
import type { ApiClient } from './api-client.js';
import { isRecord } from './credentials.js';
import { optionsOf } from './pending.js';
import { Tasks } from './tasks.js';

/** As many as there are connections. */
const atOnce = 4;

/** The REST API of a cluster, for one of its nodes. Its machine is there for the guards alone. */
export class ApiDriver implements Driver {
  readonly #node: string;
  readonly #tasks: Tasks;

  constructor(
    private readonly client: ApiClient,
    private readonly machine: Machine,
    node: string,
  ) {
    this.#node = `/nodes/${encodeURIComponent(node)}`;
    this.#tasks = new Tasks(client, this.#node);
  }

  async look(call: Call): Promise<readonly SeenVm[]> {
    await this.#tasks.settle(call);
    const vmids = await this.#list(call);
    const vms: (SeenVm | undefined)[] = [];
    for (let from = 0; from < vmids.length; from += atOnce) {
      const some = vmids.slice(from, from + atOnce);
      vms.push(...(await Promise.all(some.map((vmid) => unlessCode('NOT_FOUND', this.#pending(call, vmid))))));
    }
    return vms.filter((vm) => vm !== undefined);
  }

  async find(call: Call, vmid: string): Promise<Vm | undefined> {
    await this.#tasks.settle(call, vmid);
    // The digest first: what is changed behind it is refused later.
    const config = await unlessCode('NOT_FOUND', this.client.get(call, `${this.#node}/qemu/${vmid}/config?current=1`));
    if (config === undefined) return undefined;
    if (!isRecord(config) || typeof config.digest !== 'string') throw strange(`VM ${vmid}'s configuration`);
    const seen = await unlessCode('NOT_FOUND', this.#pending(call, vmid));
    return seen === undefined ? undefined : { ...seen, digest: config.digest };
  }

  async isRunning(call: Call, vmid: string): Promise<boolean> {
    const status = await this.client.get(call, `${this.#node}/qemu/${vmid}/status/current`);
    if (!isRecord(status) || typeof status.status !== 'string') throw strange(`VM ${vmid}'s status`);
    return status.status !== 'stopped';
  }

  /**
   * The guard is taken to the call's epoch before the request; a request that was begun earlier and comes later bears an old digest,
   * and is refused by the server once anything was changed.
   */
  async change(call: Call, { vm, option, act, guard }: Change): Promise<VbsError | undefined> {
    await this.machine.settle(call, guard);
    const what: Readonly<Record<string, string>> = typeof act === 'string' ? { [act]: option } : { [option]: act.set };
    try {
      const upid = await this.client.post(call, `${this.#node}/qemu/${vm.vmid}/config`, { ...what, digest: vm.digest });
      if (upid === null || upid === '') return undefined;
      if (typeof upid !== 'string') throw strange('a change');
      return await this.#tasks.follow(call, upid);
    } catch (error) {
      const failure = toVbsError(error);
      const { status, upid } = failure.context;
      const isBegun = status !== undefined || upid !== undefined || ['DEADLINE_EXCEEDED', 'UNAVAILABLE', 'INTERNAL'].includes(failure.code);
      if (isBegun) return failure;
      throw failure;
    }
  }

  async check(call: Call): Promise<readonly string[]> {
    const faults: string[] = [];
    try {
      await this.#list(call);
    } catch (error) {
      faults.push(toVbsError(error).message);
    }
    if (this.client.credentials.mayAttach) return faults;
    const limit =
      'The credentials of api detach disks, and cannot attach any: Proxmox VE lets only root@pam, by password and not by token,';
    return [...faults, `${limit} attach devices of the node. Give api.ticket for root@pam, or leave api out and use qm on the node.`];
  }

  async close(): Promise<void> {
    await this.client.close();
  }

  async #list(call: Call): Promise<readonly string[]> {
    const vms = await this.client.get(call, `${this.#node}/qemu`);
    if (!Array.isArray(vms)) throw strange('the list of VMs');
    return vms.map((vm: unknown) => {
      if (isRecord(vm) && /^[1-9]\d{2,8}$/.test(String(vm.vmid))) return String(vm.vmid);
      throw strange('the list of VMs');
    });
  }

  async #pending(call: Call, vmid: string): Promise<SeenVm> {
    return seenVmOf(vmid, optionsOf(await this.client.get(call, `${this.#node}/qemu/${vmid}/pending`)));
  }
}

function strange(what: string): VbsError {
  return new VbsError('INTERNAL', `The REST API has answered ${what} in a form that is not known.`);
}
