import type { Schema } from '@vbs/core';

/** The configuration of an AoE initiator, `initiator.schema.json` as a type. */
export interface AoeInitiatorConfig {
  readonly interfaces: readonly string[];
  readonly minimumMtu?: number;
}

/** The same as the published `initiator.schema.json`: Node.js 20 imports JSON only as an experiment. */
export const aoeInitiatorConfigSchema: Schema<AoeInitiatorConfig> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'AoE initiator',
  description: "Connects a VMM node to ATA over Ethernet exports, by the kernel's aoe module and aoetools.",
  type: 'object',
  additionalProperties: false,
  required: ['interfaces'],
  properties: {
    interfaces: {
      type: 'array',
      minItems: 1,
      maxItems: 8,
      uniqueItems: true,
      items: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$', description: 'The name of a network interface of the node.' },
      description:
        'The network interfaces on the segment of the volume servers. Their MAC addresses are what exporters let in; a device that answers on another interface is refused.',
    },
    minimumMtu: {
      type: 'integer',
      minimum: 576,
      maximum: 65_535,
      description: 'The MTU that `vbs doctor` asks for; 9000 makes AoE many times faster than 1500. Unless told, the MTU is not looked at.',
    },
  },
};
