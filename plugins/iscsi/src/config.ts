import type { Schema } from '@vbs/core';

/** The configuration of an iSCSI initiator, `config.schema.json` as a type. */
export interface IscsiConfig {
  readonly initiatorNameFile?: string;
  readonly nodesDirectory?: string;
  readonly loginTimeoutSeconds?: number;
  readonly replacementTimeoutSeconds?: number;
}

/** What an initiator takes where the configuration says nothing. */
export const iscsiDefaults = {
  initiatorNameFile: '/etc/iscsi/initiatorname.iscsi',
  nodesDirectory: '/etc/iscsi/nodes',
  loginTimeoutSeconds: 10,
  replacementTimeoutSeconds: 120,
} as const satisfies Partial<IscsiConfig>;

/** The same as the published `config.schema.json`: Node.js 20 imports JSON only as an experiment. */
export const iscsiConfigSchema: Schema<IscsiConfig> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'iSCSI initiator',
  description: 'Brings iSCSI exports to block devices of a VMM node, by open-iscsi.',
  type: 'object',
  additionalProperties: false,
  properties: {
    initiatorNameFile: {
      type: 'string',
      pattern: '^/',
      default: iscsiDefaults.initiatorNameFile,
      description: "The file that holds this node's InitiatorName.",
    },
    nodesDirectory: {
      type: 'string',
      pattern: '^/',
      default: iscsiDefaults.nodesDirectory,
      description: "open-iscsi's folder of node records: /etc/iscsi/nodes, or /var/lib/iscsi/nodes where the distribution moved it.",
    },
    loginTimeoutSeconds: {
      type: 'integer',
      minimum: 1,
      maximum: 12,
      default: iscsiDefaults.loginTimeoutSeconds,
      description: 'How long a portal may take to answer a login, in seconds. It is asked twice at most.',
    },
    replacementTimeoutSeconds: {
      type: 'integer',
      minimum: -1,
      maximum: 86400,
      default: iscsiDefaults.replacementTimeoutSeconds,
      description:
        'How long I/O waits for a target that has gone before it fails, in seconds; 0: it fails at once, -1: it waits until the target is back or the connection is ended.',
    },
  },
};
