import type { Schema } from '@vbs/core';

/** The configuration of an LVM backend, `backend.schema.json` as a type. */
export interface LvmConfig {
  readonly volumeGroup: string;
  readonly thinPool?: string;
  readonly physicalVolumes?: readonly string[];
  readonly wipe?: 'none' | 'zero' | 'discard';
  readonly snapshotPercent?: number;
  readonly maxOvercommit?: number;
  readonly leastFreeDataPercent?: number;
  readonly leastFreeMetadataPercent?: number;
  readonly blockBytes?: number;
  readonly pieceBytes?: number;
}

const MiB = 1024 * 1024;

/** What a backend takes where the configuration says nothing. */
export const lvmDefaults = {
  wipe: 'none',
  snapshotPercent: 100,
  maxOvercommit: 10,
  leastFreeDataPercent: 5,
  leastFreeMetadataPercent: 10,
  blockBytes: 4 * MiB,
  pieceBytes: 256 * MiB,
} as const satisfies Partial<LvmConfig>;

const name = { type: 'string', pattern: '^[A-Za-z0-9+_.][A-Za-z0-9+_.-]*$', maxLength: 127 } as const;
const percent = { type: 'integer', minimum: 0, maximum: 99 } as const;

/** The same as the published `backend.schema.json`: Node.js 20 imports JSON only as an experiment. */
export const lvmConfigSchema: Schema<LvmConfig> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'LVM backend',
  description: 'Volumes are logical volumes of one volume group: thick ones, or thin ones of a pool.',
  type: 'object',
  additionalProperties: false,
  required: ['volumeGroup'],
  properties: {
    volumeGroup: { ...name, description: 'The volume group, which must exist. It is marked with the id of the store that uses it first.' },
    thinPool: {
      ...name,
      description:
        'A thin pool of the group, which must exist and zero its new blocks. Volumes are then thin, snapshots and clones instant. Without it volumes are thick.',
    },
    physicalVolumes: {
      type: 'array',
      minItems: 1,
      maxItems: 256,
      uniqueItems: true,
      items: { type: 'string', pattern: '^/dev/[A-Za-z0-9+_./:@-]+$', maxLength: 255 },
      description:
        'The devices of the group, all of them: LVM then looks at these alone, whatever else the machine has. Unless told: as lvm.conf says.',
    },
    wipe: {
      type: 'string',
      enum: ['none', 'zero', 'discard'],
      default: lvmDefaults.wipe,
      description:
        'What is done to the bytes of a thick volume before it is removed. New volumes are zeroed in any case, so that no volume sees what another held.',
    },
    snapshotPercent: {
      type: 'integer',
      minimum: 1,
      maximum: 100,
      default: lvmDefaults.snapshotPercent,
      description:
        'Room of a classic snapshot, in percent of its volume. Less than 100 wants dmeventd with snapshot_autoextend_threshold below 100 in lvm.conf: a snapshot that runs full is lost.',
    },
    maxOvercommit: {
      type: 'number',
      minimum: 1,
      maximum: 1000,
      default: lvmDefaults.maxOvercommit,
      description: 'How many times the size of the thin pool all thin volumes and snapshots in it may come to.',
    },
    leastFreeDataPercent: {
      ...percent,
      default: lvmDefaults.leastFreeDataPercent,
      description: "With less of the thin pool's data space free, nothing is made or extended.",
    },
    leastFreeMetadataPercent: {
      ...percent,
      default: lvmDefaults.leastFreeMetadataPercent,
      description: "With less of the thin pool's metadata space free, nothing is made or extended.",
    },
    blockBytes: {
      type: 'integer',
      minimum: 4096,
      maximum: 64 * MiB,
      multipleOf: 4096,
      default: lvmDefaults.blockBytes,
      description: "Block size of dd, where it divides the group's extents; else the largest that divides both.",
    },
    pieceBytes: {
      type: 'integer',
      minimum: MiB,
      maximum: 16 * 1024 * MiB,
      default: lvmDefaults.pieceBytes,
      description: 'Bytes of one dd: what is synced at once, and what an interrupted copy loses at most. One must be done within 110 s.',
    },
  },
};
