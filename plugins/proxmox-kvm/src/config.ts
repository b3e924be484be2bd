import type { Schema, Secret } from '@vbs/core';

/** How the node's REST API is reached; one of `ticket` and `token`. */
export interface ApiConfig {
  readonly url: string;
  readonly node: string;
  readonly ca?: string;
  readonly fingerprint?: string;
  readonly ticket?: { readonly user?: string; readonly password: Secret };
  readonly token?: { readonly id: string; readonly secret: Secret };
  readonly timeLimitSeconds?: number;
}

/** The configuration of a Proxmox VE hypervisor, `config.schema.json` as a type. */
export interface ProxmoxConfig {
  readonly cache?: 'none' | 'directsync' | 'writethrough' | 'writeback';
  readonly iothread?: boolean;
  readonly identity?: 'uuid' | 'vmid';
  readonly hotplug?: boolean;
  readonly configDirectory?: string;
  readonly api?: ApiConfig;
}

/** What a hypervisor takes where the configuration says nothing. */
export const proxmoxDefaults = {
  cache: 'none',
  iothread: false,
  identity: 'uuid',
  hotplug: true,
  configDirectory: '/etc/pve/qemu-server',
} as const satisfies ProxmoxConfig;

/** What the REST API is given where the configuration says nothing. */
export const apiDefaults = { user: 'root@pam', timeLimitSeconds: 15 } as const;

const secret = { type: 'string', minLength: 1, maxLength: 512, writeOnly: true } as const;

/** The same as the published `config.schema.json`: Node.js 20 imports JSON only as an experiment. */
export const proxmoxConfigSchema: Schema<ProxmoxConfig> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Proxmox VE hypervisor',
  description: "Puts block devices of a Proxmox VE node into its VMs, by qm on the node, or by the node's REST API.",
  type: 'object',
  additionalProperties: false,
  properties: {
    cache: {
      type: 'string',
      enum: ['none', 'directsync', 'writethrough', 'writeback'],
      default: proxmoxDefaults.cache,
      description: "How QEMU caches the disks; unsafe is no choice, since it forgets a guest's flushes.",
    },
    iothread: {
      type: 'boolean',
      default: proxmoxDefaults.iothread,
      description: 'Gives each scsi and virtio disk a thread of its own; scsi disks need the controller virtio-scsi-single.',
    },
    identity: {
      type: 'string',
      enum: ['uuid', 'vmid'],
      default: proxmoxDefaults.identity,
      description:
        'What tells a VM from a later one of the same number: its SMBIOS UUID; or vmid: nothing, the operator promises that no number is given twice.',
    },
    hotplug: {
      type: 'boolean',
      default: proxmoxDefaults.hotplug,
      description:
        'Whether qm brings disks into running VMs, and takes them out. false: Proxmox VE 1, which only edits the configuration; running VMs are left alone then.',
    },
    configDirectory: {
      type: 'string',
      pattern: '^/',
      default: proxmoxDefaults.configDirectory,
      description: "The folder of the node's VM configurations, <vmid>.conf; read where qm is used, not where api is.",
    },
    api: {
      type: 'object',
      additionalProperties: false,
      description: 'The REST API, in place of qm on the node.',
      required: ['url', 'node'],
      oneOf: [
        { required: ['ticket'], properties: { ticket: true } },
        { required: ['token'], properties: { token: true } },
      ],
      properties: {
        url: {
          type: 'string',
          pattern: '^https://[^/?#@]+/?$',
          examples: ['https://pve1.example.org:8006'],
          description: 'Where a node of the cluster answers: https, host and port.',
        },
        node: {
          type: 'string',
          pattern: '^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$',
          examples: ['pve1'],
          description: 'The name of the node whose VMs are meant.',
        },
        ca: {
          type: 'string',
          minLength: 1,
          examples: ['/etc/vbs/pve-root-ca.pem'],
          description:
            "A file of certificates in PEM that may sign the server's (a cluster's own is /etc/pve/pve-root-ca.pem); the system's authorities unless told. Relative to the folder of the configuration.",
        },
        fingerprint: {
          type: 'string',
          pattern: '^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31}$',
          examples: ['00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF'],
          description: "The SHA-256 fingerprint of the server's certificate, in place of an authority: no other certificate is taken then.",
        },
        ticket: {
          type: 'object',
          additionalProperties: false,
          description: 'A user and password. Only root@pam may attach devices of the node.',
          required: ['password'],
          properties: {
            user: {
              type: 'string',
              pattern: '^[^@\\s]+@[A-Za-z][A-Za-z0-9._-]*$',
              examples: ['root@pam'],
              description: 'The user with its realm; root@pam unless told.',
            },
            password: { ...secret, examples: [{ file: 'pve-password' }], description: 'Its password, as { env: NAME } or { file: path }.' },
          },
        },
        token: {
          type: 'object',
          additionalProperties: false,
          description: 'An API token. It lists and detaches disks; Proxmox VE lets no token attach devices of the node.',
          required: ['id', 'secret'],
          properties: {
            id: {
              type: 'string',
              pattern: '^[^@\\s!=]+@[A-Za-z][A-Za-z0-9._-]*![A-Za-z][A-Za-z0-9._-]*$',
              examples: ['vbs@pve!storage'],
              description: "The token's id: user@realm!name.",
            },
            secret: {
              ...secret,
              pattern: '^[!-~]+$',
              examples: [{ env: 'PVE_TOKEN' }],
              description: 'Its secret, as { env: NAME } or { file: path }.',
            },
          },
        },
        timeLimitSeconds: {
          type: 'number',
          exclusiveMinimum: 0,
          maximum: 30,
          default: apiDefaults.timeLimitSeconds,
          description: 'How long the server may take to answer a request, in seconds. A task that it begins may take longer.',
        },
      },
    },
  },
};
