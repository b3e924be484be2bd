/**
 * The commands of the initiator. `flush` is no `aoe-flush`: that writes a name without its end, and the kernel takes it for the beginning
 * of one, so that flushing e1.1 takes e1.10 to e1.19 away too (drivers/block/aoe/aoedev.c, user_req).
 */
export const commands = {
  discover: 'aoe-discover',
  revalidate: 'aoe-revalidate <device>',
  readStart: 'dd if=<path> of=/dev/null bs=8192 count=1 iflag=direct status=none',
  flush: 'tee /dev/etherd/flush',
  flushBuffers: 'blockdev --flushbufs <path>',
  setReadOnly: 'blockdev --setro <path>',
  setReadWrite: 'blockdev --setrw <path>',
  awaitUdev: 'udevadm settle --timeout=5',
  findOpeners:
    'find /proc -mindepth 3 -maxdepth 3 -path /proc/[0-9]*/fd/* ( -lname <path> -o -lname <path>p[0-9] -o -lname <path>p[0-9][0-9] )',
} as const;
