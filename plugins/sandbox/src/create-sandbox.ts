import { cloudResolver, definePlugin, hypervisor, VbsError } from '@vbs/core';
import { sandboxSchema, staticResolverSchema } from './config.js';
import { guestOf, type SandboxVm } from './guest.js';
import { SandboxHypervisor } from './sandbox-hypervisor.js';
import { StaticCloudResolver } from './static-cloud-resolver.js';

/** The plugin, and the way into the VMs of the hypervisors that it has open: one for each store that wants in. */
export function createSandbox() {
  const open = new Set<SandboxHypervisor>();

  const plugin = definePlugin({
    name: 'sandbox',
    apiVersion: 1,
    provides: {
      hypervisor: hypervisor({
        configSchema: sandboxSchema,
        capabilities: ['hotplug', 'read-only', 'extend', 'freeze'],
        opens: ['nbd'],
        lifetime: 'process',
        machine: 'local',
        open: async (instance) => {
          const opened = new SandboxHypervisor(instance, (closed) => open.delete(closed));
          open.add(opened);
          return opened;
        },
      }),
      cloudResolver: cloudResolver({
        configSchema: staticResolverSchema,
        capabilities: ['list'],
        machine: 'local',
        open: async (instance) => new StaticCloudResolver(instance.config),
      }),
    },
  });

  /**
   * A VM of a VMM node whose hypervisor is open.
   *
   * @throws NOT_FOUND: no open hypervisor of this node, or it has no such VM. FAILED_PRECONDITION: two stores have such a node open.
   */
  function vm(node: string, vmId: string): SandboxVm {
    const [first, second] = [...open].filter((hypervisor) => hypervisor.node === node);
    if (first === undefined) throw new VbsError('NOT_FOUND', `No sandbox is open as VMM node ${node}.`, { resource: node });
    if (second !== undefined) {
      throw new VbsError('FAILED_PRECONDITION', `Two stores have a sandbox open as ${node}: give each a createSandbox() of its own.`);
    }
    return guestOf(first.vm(vmId));
  }

  return { plugin, vm };
}

/** The plugin, and the way into its VMs. */
export type Sandbox = ReturnType<typeof createSandbox>;
