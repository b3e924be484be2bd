import { VbsError } from '@vbs/core';
import type { PoolView } from './pool.js';
import type { LvmSettings } from './settings.js';

/**
 * Refuses what would promise more of a thin pool than the configuration allows, or comes when it is nearly full: a pool that runs out of
 * data fails writes of every volume in it, and one that runs out of metadata wants a repair. Thick pools refuse by themselves.
 * @throws RESOURCE_EXHAUSTED.
 */
export function requireThinRoom({ group, thinPool }: PoolView, settings: LvmSettings, addedBytes: number): void {
  if (thinPool === undefined) return;
  const name = `${settings.volumeGroup}/${thinPool.name}`;
  const refuse = (message: string): VbsError =>
    new VbsError('RESOURCE_EXHAUSTED', `The thin pool ${name} ${message}`, { context: { thinPool: name, addedBytes } });
  const promised = group.volumes.filter(({ pool }) => pool === thinPool.name).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const most = thinPool.sizeBytes * settings.maxOvercommit;
  if (promised + addedBytes > most) {
    throw refuse(
      `has ${thinPool.sizeBytes} bytes and promised ${promised}: ${addedBytes} more are above ${settings.maxOvercommit} times its size ("maxOvercommit"). Delete volumes or snapshots, or extend the pool.`,
    );
  }
  const parts = [
    ['data', thinPool.dataPercent, settings.leastFreeDataPercent],
    ['metadata', thinPool.metadataPercent, settings.leastFreeMetadataPercent],
  ] as const;
  for (const [part, used, least] of parts) {
    if (used !== undefined && 100 - used < least) {
      throw refuse(
        `has ${(100 - used).toFixed(2)} % of its ${part} space free, less than ${least} %: extend it (lvextend), or delete volumes.`,
      );
    }
  }
}
