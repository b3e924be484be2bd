import type { AttachDeviceRequest, DeviceSource, OpenedInstance } from '@vbs/core';
import type { LibvirtConfig } from '@vbs/plugin-libvirt';
import type { ExecutionContext } from 'ava';
import type { Guests } from '../../support/libvirt/guests.js';
import { makeLoopVolume } from '../../support/libvirt/loop-volume.js';
import { call, type OpenOptions, openLibvirt } from '../../support/libvirt/open-libvirt.js';

export { call };
export const KiB = 1024;
export const sizeBytes = 64 * KiB;
let drawn = 0;

export type Hypervisor = OpenedInstance<'hypervisor'>['contract'];

/** A hypervisor on the shared guests, and what is asked of it. */
export interface NodeFixture {
  readonly directory: string;
  readonly hypervisor: Hypervisor;
  open(options?: OpenOptions & { readonly config?: LibvirtConfig }): Promise<Hypervisor>;
  /** A new loop device, removed with the test. */
  loop(): Promise<DeviceSource>;
  request(vm: string, source: DeviceSource, overrides?: Partial<AttachDeviceRequest>): AttachDeviceRequest;
  /** The slots of a VM, live and as its definition has them. */
  slots(name: string): Promise<{ readonly live: readonly string[]; readonly config: readonly string[] }>;
  /** As the core asks, once the guest has let go. */
  takeOut(request: AttachDeviceRequest): Promise<void>;
}

export async function makeNode(t: ExecutionContext, guests: Guests): Promise<NodeFixture> {
  t.timeout(120_000);
  const config = { uri: guests.daemon.uri, releaseTimeoutSeconds: 3 };
  const { directory, contract: hypervisor } = await openLibvirt(t, config);
  const slotsOf = async (...words: readonly string[]): Promise<readonly string[]> => {
    const list = await guests.daemon.virsh('domblklist', ...words);
    return list.split('\n').flatMap((line) => line.trim().split(/\s+/, 1).filter(Boolean));
  };
  return {
    directory,
    hypervisor,
    open: async (options) => (await openLibvirt(t, { ...config, ...options?.config }, { directory, ...options })).contract,
    loop: async () => {
      const { source, remove } = await makeLoopVolume(directory, sizeBytes);
      t.teardown(remove);
      return source;
    },
    request: (vm, source, overrides = {}) => {
      const digits = (++drawn).toString(16).padStart(17, '0');
      const given = { attachmentId: `att-${digits}`, vm, slot: 'vdb', source, serial: `vol${digits}` };
      return { ...given, access: 'read-write', sizeBytes, ...overrides };
    },
    slots: async (name) => ({
      live: (await guests.daemon.virsh('domstate', name)).trim() === 'shut off' ? [] : await slotsOf(name),
      config: await slotsOf(name, '--inactive'),
    }),
    takeOut: async ({ attachmentId, vm, slot, source }) => {
      for (let attempt = 0; attempt < 5; attempt++) {
        const { result } = await hypervisor.detachDevice(call({ epoch: 9 }), { attachmentId, vm, slot, source });
        if (result === 'detached') return;
      }
      throw new Error(`${slot} is not let go of`);
    },
  };
}
