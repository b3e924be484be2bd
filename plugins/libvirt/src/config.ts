import type { Schema } from '@vbs/core';

/** The configuration of a libvirt hypervisor, `config.schema.json` as a type. */
export interface LibvirtConfig {
  readonly uri?: string;
  readonly initiatorName?: string;
  readonly onError?: 'report' | 'stop';
  readonly releaseTimeoutSeconds?: number;
}

/** What a hypervisor takes where the configuration says nothing. */
export const libvirtDefaults = {
  uri: 'qemu:///system',
  onError: 'report',
  releaseTimeoutSeconds: 10,
} as const satisfies LibvirtConfig;

/** The same as the published `config.schema.json`: Node.js 20 imports JSON only as an experiment. */
export const libvirtConfigSchema: Schema<LibvirtConfig> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'libvirt hypervisor',
  description: 'Puts block devices, NBD exports and iSCSI LUNs into the QEMU and KVM guests of a libvirt daemon, by virsh.',
  type: 'object',
  additionalProperties: false,
  properties: {
    uri: {
      type: 'string',
      pattern: '^[a-z][a-z0-9+.-]*://\\S*$',
      default: libvirtDefaults.uri,
      description: 'The connection URI of libvirt (virsh -c). Block devices are those of the machine whose libvirt it is.',
    },
    initiatorName: {
      type: 'string',
      pattern: '^iqn\\.[0-9]{4}-(0[1-9]|1[0-2])\\.[a-z0-9][a-z0-9.-]*(:[a-z0-9.:-]+)?$',
      maxLength: 223,
      examples: ['iqn.2009-11.org.example:kvm1'],
      description:
        "The name under which this node's guests log in to iSCSI targets, another on each node. Unless told, one is derived from the store's id and the instance's name.",
    },
    onError: {
      type: 'string',
      enum: ['report', 'stop'],
      default: libvirtDefaults.onError,
      description:
        'What an I/O error of a disk does. report: the guest gets it, as from any disk. stop: the VM is paused until somebody resumes it.',
    },
    releaseTimeoutSeconds: {
      type: 'number',
      exclusiveMinimum: 0,
      maximum: 40,
      default: libvirtDefaults.releaseTimeoutSeconds,
      description:
        'How long a detach waits for the guest to let go of the disk, in seconds. Then the disk is left, and goes when the guest lets go.',
    },
  },
};
