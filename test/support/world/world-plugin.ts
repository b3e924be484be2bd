import { cloudResolver, definePlugin, hypervisor, initiator, targetExporter, VbsError, volumeBackend } from '@vbs/core';
import type { World } from './world.js';
import { worldBackend } from './world-backend.js';
import { worldExporter } from './world-exporter.js';
import { worldHypervisor, worldInitiator } from './world-node.js';

const configSchema = { type: 'object', additionalProperties: false } as const;

/** A {@link World} as a plugin of every kind; all that it makes outlives this process. */
export function worldPlugin(world: World) {
  return definePlugin({
    name: 'world',
    apiVersion: 1,
    provides: {
      volumeBackend: volumeBackend({
        configSchema,
        capabilities: ['snapshot', 'live-snapshot', 'instant-clone', 'extend'],
        locators: ['block'],
        machine: 'local',
        open: async ({ machine }) => worldBackend(world, machine),
      }),
      targetExporter: targetExporter({
        configSchema,
        capabilities: ['fence', 'read-only', 'multi-attach', 'acl', 'chap', 'extend'],
        protocol: 'iscsi',
        accepts: ['block'],
        lifetime: 'daemon',
        machine: 'local',
        open: async ({ machine }) => worldExporter(world, machine),
      }),
      initiator: initiator({
        configSchema,
        capabilities: ['extend'],
        protocol: 'iscsi',
        machine: 'local',
        open: async ({ machine }) => worldInitiator(world, machine),
      }),
      hypervisor: hypervisor({
        configSchema,
        capabilities: ['hotplug', 'read-only', 'extend'],
        opens: [],
        lifetime: 'daemon',
        machine: 'local',
        open: async ({ machine }) => worldHypervisor(world, machine),
      }),
      cloudResolver: cloudResolver({
        configSchema,
        capabilities: [],
        machine: 'local',
        open: async () => ({
          resolveInstance: (call, request) =>
            world.look(call, 'resolveInstance', request, () => {
              if (!request.instanceId.startsWith('i-')) throw new VbsError('NOT_FOUND', `the cloud has no ${request.instanceId}`);
              return { instanceId: request.instanceId, vmmHost: 'node', vmId: request.instanceId.slice('i-'.length) };
            }),
        }),
      }),
    },
  });
}
