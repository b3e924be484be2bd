import type { AttachedDevice } from '@vbs/core';
import type { Vm } from './look.js';
import type { Disk } from './parse-domain.js';
import { deviceSourceOf } from './source.js';

/**
 * Every disk of every VM, as the contract tells it. A running VM's are what its QEMU has; what only its definition names is neither there nor
 * gone.
 */
export function attachedDevices(vms: readonly Vm[]): readonly AttachedDevice[] {
  return vms.flatMap(({ key, live, config = [] }) => {
    const there = live ?? config;
    const next = config.filter(({ target }) => !there.some((disk) => disk.target === target));
    return [...there.map((disk) => told(key, disk, 'attached')), ...next.map((disk) => told(key, disk, 'changing'))];
  });
}

function told(vm: string, { target, source, access }: Disk, state: AttachedDevice['state']): AttachedDevice {
  return { vm, slot: target, ...(source === undefined ? {} : { source: deviceSourceOf(source) }), access, state };
}
