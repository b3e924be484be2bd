import { type Call, errorTable, isVbsError, toVbsError, VbsError } from '@vbs/core';
import type { Change, Driver } from './driver.js';
import { noSuchVm, runs } from './refusals.js';
import type { Wanted } from './requests.js';
import type { Vm } from './vm.js';
import { type Identity, isMeant, vmidOf } from './vm-key.js';

/** The acts of one call on one VM; it knows whether anything may have been changed by now. */
export class Acts {
  #changed = false;

  constructor(
    readonly call: Call,
    readonly driver: Driver,
    private readonly settings: { readonly identity: Identity; readonly hotplug: boolean },
    readonly wanted: Wanted,
  ) {}

  /**
   * The VM that is meant; undefined where the node does not have it, also where its number is another VM's by now.
   * @throws DEADLINE_EXCEEDED: something may have been changed before, and nobody can look.
   */
  async find(): Promise<Vm | undefined> {
    const vmid = vmidOf(this.wanted.vm);
    const vm = vmid === undefined ? undefined : await this.#honestly(() => this.driver.find(this.call, vmid));
    return vm !== undefined && isMeant(vm, this.wanted.vm, this.settings.identity) ? vm : undefined;
  }

  /** @throws NOT_FOUND. */
  async require(): Promise<Vm> {
    const vm = await this.find();
    if (vm === undefined) throw noSuchVm(this.wanted.vm);
    return vm;
  }

  /** As `require`, after something was changed. */
  lookAfter(): Promise<Vm> {
    return this.#honestly(() => this.require());
  }

  /** Changes a slot; answers how it failed. @throws what says that it was not begun, or that the call was given up. */
  async change(vm: Vm, act: Change['act'], option = this.wanted.slot): Promise<VbsError | undefined> {
    const change = { vm, option, act, guard: this.wanted.attachmentId };
    if (!this.settings.hotplug && (await this.#honestly(() => this.driver.isRunning(this.call, vm.vmid)))) throw runs(this.wanted);
    const failure = await this.#honestly(() => this.driver.change(this.call, change));
    this.#changed ||= !isOvertaken(failure);
    if (failure !== undefined && this.call.signal.aborted) throw failure;
    return failure;
  }

  /** Lets no error say that nothing changed where only a later act of the same call has failed (safety A1). */
  async #honestly<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (thrown) {
      const error = toVbsError(thrown);
      if (!this.#changed || isUnknown(error)) throw error;
      const message = `${this.wanted.attachmentId} may have been changed, and what came of it was not seen: ${error.message}`;
      throw new VbsError('DEADLINE_EXCEEDED', message, { resource: this.wanted.attachmentId, context: error.context, cause: error });
    }
  }
}

/** Whether a failed change may still take effect, or has done so in part. */
export function isUnknown(failure: VbsError | undefined): boolean {
  return failure !== undefined && errorTable[failure.code].outcome === 'unknown';
}

/** How often a change is begun anew because somebody else was faster. */
export const mostTries = 3;

export function isOvertaken(error: unknown): boolean {
  return isVbsError(error) && error.context.reason === 'changed-meanwhile';
}
