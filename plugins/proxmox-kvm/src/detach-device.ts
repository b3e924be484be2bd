import type { DetachResult } from '@vbs/core';
import { type Acts, isOvertaken, mostTries } from './acts.js';
import { requireNoHolder, requireOurs } from './refusals.js';
import { finishPending, takeOut } from './take-out.js';
import type { Vm } from './vm.js';

/**
 * Takes a disk out of a VM. `refused`: the guest has not let go, and Proxmox VE keeps the disk.
 *
 * @throws FAILED_PRECONDITION: the slot holds another source; the VM is absent and another has the source; the VM gives this disk only
 * while it is stopped.
 */
export async function detachDevice(acts: Acts): Promise<DetachResult> {
  for (let tries = 1; ; tries++) {
    try {
      return await detachOnce(acts);
    } catch (error) {
      if (!isOvertaken(error) || tries === mostTries) throw error;
    }
  }
}

async function detachOnce(acts: Acts): Promise<DetachResult> {
  const { wanted } = acts;
  let vm = await acts.find();
  if (vm === undefined) {
    await requireNoHolder(acts.call, acts.driver, wanted);
    return 'detached';
  }
  let there = vm.slots.get(wanted.slot);
  if (there !== undefined) requireOurs(there, wanted);
  if (there !== undefined && there.current === undefined) {
    await finishPending(acts, vm, there);
    vm = await acts.lookAfter();
    there = vm.slots.get(wanted.slot);
    if (there !== undefined) requireOurs(there, wanted);
  }
  if (there?.current !== undefined) {
    const result = await takeOut(acts, vm);
    if (result !== 'gone') return result === 'held' ? 'refused' : 'requested';
    vm = await acts.lookAfter();
  }
  await forget(acts, vm);
  return 'detached';
}

/** Proxmox VE keeps an entry of a disk that it takes for one of its own storage's; a later "attach" of that would be an unknown disk. */
async function forget(acts: Acts, vm: Vm): Promise<void> {
  const entry = [...vm.unused].find(([, { path }]) => path === acts.wanted.path);
  if (entry === undefined) return;
  const failure = await acts.change(vm, 'delete', entry[0]);
  if (failure !== undefined && (await acts.lookAfter()).unused.has(entry[0])) throw failure;
}
