import { VbsError } from '@vbs/core';
import { type LvmConfig, lvmDefaults } from './config.js';

/** The configuration of an instance, completed. */
export interface LvmSettings {
  readonly volumeGroup: string;
  /** Undefined: volumes are thick. */
  readonly thinPool: string | undefined;
  /** Settings of lvm.conf for each command. */
  readonly lvmConfig: string;
  readonly wipe: 'none' | 'zero' | 'discard';
  readonly snapshotPercent: number;
  readonly maxOvercommit: number;
  readonly leastFreeDataPercent: number;
  readonly leastFreeMetadataPercent: number;
  readonly blockBytes: number;
  readonly pieceBytes: number;
}

const thickOnly = ['wipe', 'snapshotPercent'] as const;
const thinOnly = ['maxOvercommit', 'leastFreeDataPercent', 'leastFreeMetadataPercent'] as const;

/** @throws CONFIG_INVALID: a key is told that means nothing for this kind of volume. */
export function settingsOf(name: string, config: LvmConfig): LvmSettings {
  const { physicalVolumes, thinPool, ...rest } = { ...lvmDefaults, ...config };
  const idle = (thinPool === undefined ? thinOnly : thickOnly).find((key) => rest[key] !== lvmDefaults[key]);
  if (idle !== undefined) {
    const kind = thinPool === undefined ? 'thick volumes: leave it out, or configure "thinPool"' : 'thin volumes: leave it out';
    const told = `${name}: "${idle}" means nothing for ${kind}.`;
    throw new VbsError('CONFIG_INVALID', told, { context: { field: idle, faults: [told] } });
  }
  if (rest.pieceBytes % rest.blockBytes !== 0) {
    const told = `${name}: "pieceBytes" must be a multiple of "blockBytes", ${rest.blockBytes}; it is ${rest.pieceBytes}.`;
    throw new VbsError('CONFIG_INVALID', told, { context: { field: 'pieceBytes', faults: [told] } });
  }
  return { ...rest, thinPool, lvmConfig: lvmConfigOf(physicalVolumes) };
}

/** Sizes come in bytes without a unit; only the group's own devices are opened (safety F5). */
export function lvmConfigOf(physicalVolumes: readonly string[] | undefined): string {
  const bytes = 'global{units="b" suffix=0}';
  if (physicalVolumes === undefined) return bytes;
  const accepted = physicalVolumes.map((path) => `"a|^${path.replaceAll(/[.+]/g, '[$&]')}$|"`);
  const filter = `[${[...accepted, '"r|.*|"'].join(',')}]`;
  return `${bytes} devices{filter=${filter} global_filter=${filter}}`;
}
