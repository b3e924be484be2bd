import type { Schema } from '@vbs/core';

/** The configuration of a Xen hypervisor, `config.schema.json` as a type. */
export interface XenConfig {
  readonly connectTimeoutSeconds?: number;
}

/** What a hypervisor takes where the configuration says nothing. */
export const xenDefaults = { connectTimeoutSeconds: 10 } as const satisfies Required<XenConfig>;

/** The same as the published `config.schema.json`: Node.js 20 imports JSON only as an experiment. */
export const xenConfigSchema: Schema<XenConfig> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Xen hypervisor',
  description: "Puts block devices of a Xen host's Dom0 into its VMs, by xl, or by xm with replaced commands.",
  type: 'object',
  additionalProperties: false,
  properties: {
    connectTimeoutSeconds: {
      type: 'number',
      exclusiveMinimum: 0,
      maximum: 30,
      default: xenDefaults.connectTimeoutSeconds,
      description: 'How long a guest may take to accept a disk after the tool has put it in, in seconds. Then it is taken back.',
    },
  },
};
