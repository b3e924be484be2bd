import type { Schema } from '@vbs/core';
import { iscsiSchemas } from '@vbs/core/exporter-support';

/** The configuration of an IET exporter, `exporter.schema.json` as a type. */
export interface IetConfig {
  readonly portal: string;
  readonly iqnPrefix?: string;
  readonly acl?: boolean;
  readonly chap?: boolean;
  readonly writeCache?: 'on' | 'off';
  readonly initiatorsAllow?: string;
  readonly tids?: { readonly first: number; readonly last: number };
}

/** What an exporter takes where the configuration says nothing. */
export const ietDefaults = {
  iqnPrefix: 'iqn.2009-11.edu.iu.vbs',
  acl: true,
  chap: true,
  writeCache: 'off',
  initiatorsAllow: '/etc/iet/initiators.allow',
} as const satisfies Partial<IetConfig>;

/** The same as the published `exporter.schema.json`: Node.js 20 imports JSON only as an experiment. */
export const ietConfigSchema: Schema<IetConfig> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'IET exporter',
  description: 'Exports volumes that are block devices or files over iSCSI, by the iSCSI Enterprise Target (ietd, ietadm).',
  type: 'object',
  additionalProperties: false,
  required: ['portal'],
  properties: {
    portal: {
      ...iscsiSchemas.portal,
      description: 'host:port that initiators connect to, an IPv6 address in brackets. ietd itself listens where the operator told it.',
    },
    iqnPrefix: {
      ...iscsiSchemas.iqnPrefix,
      default: ietDefaults.iqnPrefix,
      description: "What the names of targets begin with; the store's and the export's id follow.",
    },
    acl: {
      type: 'boolean',
      default: ietDefaults.acl,
      description: "Admit only the node's initiator names. false: everybody who reaches the portal (and has the CHAP secret).",
    },
    chap: { type: 'boolean', default: ietDefaults.chap, description: 'Ask initiators for a CHAP secret.' },
    writeCache: {
      type: 'string',
      enum: ['on', 'off'],
      default: ietDefaults.writeCache,
      description:
        "off: each write is on the medium before it is answered (write-through). on: writes wait in this machine's memory until the guest flushes (IOMode=wb).",
    },
    initiatorsAllow: {
      type: 'string',
      pattern: '^/[^\\u0000-\\u001f]+$',
      default: ietDefaults.initiatorsAllow,
      description: "ietd's list of who may log in, on ietd's machine. The file must be there: without it ietd lets everybody in.",
    },
    tids: {
      ...iscsiSchemas.targetIds,
      description: "The target ids that VBS may use. Unless told: 4096 that follow from the store's id and the instance's name.",
    },
  },
};
