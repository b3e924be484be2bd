import { type Call, toVbsError, VbsError } from '@vbs/core';
import type { Lvm } from './lvm.js';
import type { LvmPool } from './pool.js';
import { requireThinRoom } from './thin-room.js';

const failures: Readonly<Record<string, string>> = {
  F: 'has failed: look at the kernel log, then lvconvert --repair',
  D: 'is out of data space, and fails writes: extend it',
  M: 'has read-only metadata: lvconvert --repair',
};

/** What keeps a pool from being used, a sentence each. */
export async function checkPool(call: Call, pool: LvmPool): Promise<readonly string[]> {
  const { lvm } = pool;
  const { volumeGroup } = lvm.settings;
  try {
    const view = await pool.see(call);
    const sentences: string[] = [];
    if (view.group.partial) sentences.push(`Devices of the volume group ${volumeGroup} are missing: connect them (vgs -o +devices).`);
    const { thinPool } = view;
    if (thinPool !== undefined) {
      const name = `${volumeGroup}/${thinPool.name}`;
      const failure = failures[thinPool.attributes.failure];
      if (failure !== undefined) sentences.push(`The thin pool ${name} ${failure}.`);
      if (thinPool.attributes.checkNeeded)
        sentences.push(`The thin pool ${name} needs a check: deactivate it, then lvconvert --repair ${name}.`);
      if (!thinPool.attributes.active) sentences.push(`The thin pool ${name} is not active: lvchange -ay ${name}.`);
      sentences.push(...told(() => requireThinRoom(view, lvm.settings, 0)));
    }
    const settings = await lvm.readSettings(call);
    if (settings.get('scan_lvs') === '1') {
      sentences.push(
        `LVM looks for physical volumes inside volumes (devices/scan_lvs=1 in lvm.conf), and would take a guest's own: set it to 0.`,
      );
    }
    sentences.push(...told(() => requireMonitoring(lvm, settings)));
    return sentences;
  } catch (error) {
    return [toVbsError(error).message];
  }
}

/** @throws CONFIG_INVALID: snapshots are smaller than their volume, and dmeventd would not extend them (safety C3). */
export async function requireAutoextend(call: Call, lvm: Lvm, name: string): Promise<void> {
  if (lvm.settings.snapshotPercent === 100) return;
  const settings = await lvm.readSettings(call);
  const [message] = told(() => requireMonitoring(lvm, settings));
  if (message !== undefined) throw new VbsError('CONFIG_INVALID', `${name}: ${message}`, { context: { field: 'snapshotPercent' } });
}

function requireMonitoring({ settings: { snapshotPercent } }: Lvm, settings: ReadonlyMap<string, string>): void {
  if (snapshotPercent === 100) return;
  const threshold = Number(settings.get('snapshot_autoextend_threshold'));
  if (settings.get('monitoring') === '1' && threshold < 100) return;
  throw new VbsError(
    'CONFIG_INVALID',
    `"snapshotPercent" is ${snapshotPercent}, and dmeventd extends no snapshots: set activation/monitoring=1 and activation/snapshot_autoextend_threshold below 100 in lvm.conf, or "snapshotPercent" to 100.`,
  );
}

function told(act: () => void): readonly string[] {
  try {
    act();
    return [];
  } catch (error) {
    return [toVbsError(error).message];
  }
}
