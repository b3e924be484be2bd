import type { Schema } from '@vbs/core';
import { iscsiSchemas } from '@vbs/core/exporter-support';

/** The configuration of a tgt exporter, `config.schema.json` as a type. */
export interface TgtConfig {
  readonly daemon?: 'own' | 'external';
  readonly portal: string;
  readonly control?: number;
  readonly socket?: string;
  readonly directory?: string;
  readonly iqnPrefix?: string;
  readonly acl?: boolean;
  readonly chap?: boolean;
  readonly writeCache?: 'on' | 'off';
  readonly direct?: boolean;
  readonly ioThreads?: number;
  readonly tids?: { readonly first: number; readonly last: number };
}

/** What an exporter takes where the configuration says nothing. */
export const tgtDefaults = {
  daemon: 'own',
  control: 0,
  iqnPrefix: 'iqn.2009-11.edu.iu.vbs',
  acl: true,
  chap: true,
  writeCache: 'on',
  direct: false,
  ioThreads: 16,
} as const satisfies Partial<TgtConfig>;

/** The socket of a tgtd that was started without TGT_IPC_SOCKET; the control port is appended to it. */
export const usualSocket = '/var/run/tgtd/socket';

/** The same as the published `config.schema.json`: Node.js 20 imports JSON only as an experiment. */
export const tgtConfigSchema: Schema<TgtConfig> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'tgt exporter',
  description: 'Exports volumes that are block devices or files over iSCSI, by tgtd and tgtadm.',
  type: 'object',
  additionalProperties: false,
  required: ['portal'],
  properties: {
    daemon: {
      type: 'string',
      enum: ['own', 'external'],
      default: tgtDefaults.daemon,
      description: 'own: VBS starts a tgtd of its own, which outlives it and is found again. external: the operator runs tgtd.',
    },
    portal: {
      ...iscsiSchemas.portal,
      description: 'host:port that initiators connect to, an IPv6 address in brackets. An own tgtd listens there: give an address then.',
    },
    control: {
      type: 'integer',
      minimum: 0,
      maximum: 32767,
      default: tgtDefaults.control,
      description: "tgtd's control port (-C), the end of its socket's name.",
    },
    socket: {
      type: 'string',
      pattern: '^/[^,=]+$',
      description:
        "TGT_IPC_SOCKET of tgtd, without the control port. Unless told: in `directory` for an own tgtd, tgtd's own default for an external one.",
    },
    directory: {
      type: 'string',
      pattern: '^/',
      description:
        "A folder on the machine of tgtd for its socket and for notes about revoked exports; unless told, one of this instance in the store's state directory.",
    },
    iqnPrefix: {
      ...iscsiSchemas.iqnPrefix,
      default: tgtDefaults.iqnPrefix,
      description: "What the names of targets begin with; the store's and the export's id follow.",
    },
    acl: {
      type: 'boolean',
      default: tgtDefaults.acl,
      description: "Admit only the node's initiator names. false: everybody who reaches the portal (and has the CHAP secret).",
    },
    chap: { type: 'boolean', default: tgtDefaults.chap, description: 'Ask initiators for a CHAP secret.' },
    writeCache: {
      type: 'string',
      enum: ['on', 'off'],
      default: tgtDefaults.writeCache,
      description:
        "on: writes wait in this machine's memory until the guest flushes. off: each write is on the medium before it is answered.",
    },
    direct: { type: 'boolean', default: tgtDefaults.direct, description: "Open volumes with O_DIRECT, past this machine's page cache." },
    ioThreads: {
      type: 'integer',
      minimum: 1,
      maximum: 128,
      default: tgtDefaults.ioThreads,
      description: 'Threads of an own tgtd for each export.',
    },
    tids: {
      ...iscsiSchemas.targetIds,
      description:
        "The target ids that VBS may use. Unless told: 4096 that follow from the store's id and the instance's name, so that no two servers give disks the same WWID.",
    },
  },
};
