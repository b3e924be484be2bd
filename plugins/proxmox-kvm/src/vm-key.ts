import { VbsError } from '@vbs/core';
import type { SeenVm } from './vm.js';

export type Identity = 'uuid' | 'vmid';

const lowest = 100;
const highest = 999_999_999;

/** The number of a VM in what a caller gives for it: `100`, or the key `100/<uuid>`; undefined where it is none. */
export function vmidOf(text: string): string | undefined {
  const [, vmid] = /^([1-9]\d{2,8})(?:\/[0-9a-f-]{36})?$/.exec(text) ?? [];
  return vmid !== undefined && Number(vmid) >= lowest && Number(vmid) <= highest ? vmid : undefined;
}

/**
 * The key that no other VM gets later (safety E3): a VM's number is given again once the VM is destroyed, its UUID is not. A VM
 * without UUID has its number, with which no VM is found where UUIDs are the identity.
 */
export function keyOf({ vmid, uuid }: SeenVm, identity: Identity): string {
  return identity === 'uuid' && uuid !== undefined ? `${vmid}/${uuid}` : vmid;
}

/** Whether a key that was answered before means this VM. */
export function isMeant(vm: SeenVm, key: string, identity: Identity): boolean {
  return (identity === 'vmid' || vm.uuid !== undefined) && keyOf(vm, identity) === key;
}

/** @throws FAILED_PRECONDITION: nothing tells the VM from a later one of its number. */
export function requireKey(vm: SeenVm, identity: Identity): string {
  if (identity === 'vmid' || vm.uuid !== undefined) return keyOf(vm, identity);
  const message =
    `VM ${vm.vmid} has no SMBIOS UUID, so that nothing tells it from a later VM of this number: qm set ${vm.vmid} --smbios1 uuid=$(uuidgen), ` +
    'or "identity: vmid" in the configuration, if no number is ever given twice.';
  throw new VbsError('FAILED_PRECONDITION', message, { resource: vm.vmid, context: { vm: vm.vmid } });
}
