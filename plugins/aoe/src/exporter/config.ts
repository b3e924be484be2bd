import type { Schema } from '@vbs/core';
import { highestShelf } from './address.js';

/** The configuration of an AoE exporter, `exporter.schema.json` as a type. */
export interface AoeExporterConfig {
  readonly interface: string;
  readonly segment?: string;
  readonly shelves?: { readonly first: number; readonly last: number };
  readonly sync?: boolean;
  readonly direct?: boolean;
  readonly bufferCount?: number;
  readonly acl?: boolean;
  readonly directory?: string;
}

/** What an exporter takes where the configuration says nothing. */
export const aoeExporterDefaults = {
  segment: 'default',
  sync: true,
  direct: false,
  bufferCount: 16,
  acl: true,
} as const satisfies Partial<AoeExporterConfig>;

/** The same as the published `exporter.schema.json`: Node.js 20 imports JSON only as an experiment. */
export const aoeExporterSchema: Schema<AoeExporterConfig> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'AoE exporter',
  description: 'Exports volumes that are block devices or files over ATA over Ethernet, by a vblade process for each.',
  type: 'object',
  additionalProperties: false,
  required: ['interface'],
  properties: {
    interface: {
      type: 'string',
      pattern: '^[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,14}$',
      description: 'The network interface of the volume server that vblade exports on, such as eth1. It must be up.',
    },
    segment: {
      type: 'string',
      pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$',
      default: aoeExporterDefaults.segment,
      description:
        'A name for the Ethernet segment (LAN or VLAN) of the interface. Exporters of one segment share its shelf and slot numbers: exporters on one segment must not have different names here.',
    },
    shelves: {
      type: 'object',
      additionalProperties: false,
      required: ['first', 'last'],
      properties: {
        first: { type: 'integer', minimum: 0, maximum: highestShelf, description: 'The lowest shelf.' },
        last: { type: 'integer', minimum: 0, maximum: highestShelf, description: 'The highest shelf.' },
      },
      description:
        'The shelves that VBS may use, 255 slots each, without 4095, which Linux ignores; the same for every exporter of a segment. Unless told: 16 that follow from the id of the store and the segment.',
    },
    sync: {
      type: 'boolean',
      default: aoeExporterDefaults.sync,
      description:
        "vblade -s: each write is on the medium before it is answered. false: writes wait in this machine's memory, a guest's flush does nothing, and a power cut loses what guests believe to be safe.",
    },
    direct: { type: 'boolean', default: aoeExporterDefaults.direct, description: "vblade -d: O_DIRECT, past this machine's page cache." },
    bufferCount: {
      type: 'integer',
      minimum: 1,
      maximum: 1024,
      default: aoeExporterDefaults.bufferCount,
      description: 'vblade -b: how many messages an initiator may have outstanding.',
    },
    acl: {
      type: 'boolean',
      default: aoeExporterDefaults.acl,
      description: "Answer only the node's Ethernet addresses (vblade -m). false: everybody on the segment.",
    },
    directory: {
      type: 'string',
      pattern: '^/',
      description:
        "A folder on vblade's machine for notes about revoked exports; unless told, one of this instance in the store's state directory.",
    },
  },
};
