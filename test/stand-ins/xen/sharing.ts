import type { Dom0Device } from './devices.js';
import type { Domain, XenWorld } from './world.js';

/** What /etc/xen/scripts/block says to a device that may not be shared; undefined: it may. A domain may have one device twice. */
export function sharingRefused(world: XenWorld, { id }: Domain, device: Dom0Device, mode: string): string | undefined {
  const writes = mode.startsWith('w');
  if (mode === 'w!') return undefined;
  if (device.mounted !== undefined && (writes || device.mounted === 'rw')) {
    return writes
      ? `Device ${device.path} is mounted in the privileged domain,\nand so cannot be mounted by a guest.`
      : `Device ${device.path} is mounted read-write in the privileged domain,\nand so cannot be mounted read-only by a guest.`;
  }
  const others = world.users(device).filter(({ domid, mode: how }) => domid !== id && (writes || how.startsWith('w')));
  if (others.length === 0) return undefined;
  return writes
    ? `Device ${device.path} is mounted in a guest domain,\nand so cannot be mounted now.`
    : `Device ${device.path} is mounted read-write in a guest domain,\nand so cannot be mounted read-only now.`;
}
