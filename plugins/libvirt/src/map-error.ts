import { type ErrorCode, type ErrorContext, isVbsError, VbsError } from '@vbs/core';

type Meaning = readonly [told: RegExp, code: ErrorCode, why: string, context?: ErrorContext];

const asGroup = 'this user may not: put it into libvirt\'s group, run VBS as root, or put "sudo -n" in front of the commands';

/**
 * What virsh says (libvirt 9.0 with QEMU 7.2), first match first: its exit code is 1 for every failure. A code that says that nothing changed
 * is no proof: attach and detach look afterwards.
 */
const meanings: readonly Meaning[] = [
  [/a password is required|not allowed to execute/, 'PERMISSION_DENIED', asGroup],
  [
    /Failed to connect socket to .*: Permission denied|authentication (unavailable|failed)|polkit|read-only connection/,
    'PERMISSION_DENIED',
    asGroup,
  ],
  [
    /failed to connect to the hypervisor|Failed to connect socket|Disconnected from|end of file|client socket is closed|Cannot (recv|write) data/i,
    'UNAVAILABLE',
    'libvirtd does not answer: does it run, and is the URI right?',
  ],
  [/cannot acquire state change lock/, 'UNAVAILABLE', 'another act on this VM has not ended'],
  [/failed to get domain|Domain not found/, 'NOT_FOUND', 'this node has no such VM'],
  [/target '?\w+'? (duplicated for disk sources|already exists)/, 'FAILED_PRECONDITION', 'the slot is taken', { reason: 'slot-taken' }],
  [/non unique alias detected/, 'FAILED_PRECONDITION', "the VM has this attachment's disk in another slot", { reason: 'slot-taken' }],
  [
    /Setting different .* on .* which is already in use|Failed to get "?[\w ]+"? lock|Failed to get shared|Device or resource busy/,
    'FAILED_PRECONDITION',
    'another VM or program has this source',
    { reason: 'in-use' },
  ],
  [
    /Cannot access storage file '.*'.*: No such file|Could not open '.*': No such (file|device)/,
    'FAILED_PRECONDITION',
    'the node has no such device',
    { reason: 'no-device' },
  ],
  [
    /Could not open '.*': Permission denied|Cannot access storage file '.*'.*: Permission denied/,
    'PERMISSION_DENIED',
    "QEMU's user may not open the device",
  ],
  [/Requested export not available/, 'FAILED_PRECONDITION', 'the NBD server does not have this export', { reason: 'no-export' }],
  [
    /Status: Target not found/,
    'FAILED_PRECONDITION',
    'the iSCSI portal does not have this target, or does not let this initiator in',
    { reason: 'no-export' },
  ],
  [/LOGICAL_UNIT_NOT_SUPPORTED/, 'FAILED_PRECONDITION', 'the iSCSI target does not have this LUN', { reason: 'no-export' }],
  [
    /Status: (Authentication|Authorization) failure/,
    'PERMISSION_DENIED',
    'the iSCSI target refuses the CHAP credentials or this initiator',
  ],
  [
    /Unable to access credentials|TLS credentials|requires TLS|TLS connection/,
    'FAILED_PRECONDITION',
    'QEMU has no certificates for NBD over TLS (nbd_tls of qemu.conf)',
    { reason: 'tls' },
  ],
  [/Failed to connect to '.*'|iscsi_service failed|Failed to connect to LUN/, 'UNAVAILABLE', 'the server of the disk does not answer'],
  [
    /Cannot grow (device files|iSCSI devices)/,
    'FAILED_PRECONDITION',
    'what lies under the disk has not grown yet',
    { reason: 'not-grown' },
  ],
  [
    /Cannot grow NBD nodes/,
    'FAILED_PRECONDITION',
    "QEMU learns of an NBD export's new size only when it connects: detach the volume and attach it again",
    { reason: 'reattach' },
  ],
  [/is already in the process of unplug/, 'FAILED_PRECONDITION', 'the guest has not let go of the disk', { reason: 'guest-busy' }],
  [
    /No more available PCI (slots|addresses)/,
    'RESOURCE_EXHAUSTED',
    'the VM has no free PCI slot: on q35, give it more pcie-root-port controllers, or use sdX slots',
  ],
  [
    /does not support hotplugging|cannot be hotplugged/,
    'FAILED_PRECONDITION',
    'the bus of this slot takes no disk while the VM runs',
    { reason: 'no-hotplug' },
  ],
  [/domain is not running/, 'FAILED_PRECONDITION', 'the VM does not run', { reason: 'not-running' }],
  [/no device found with alias|No disk found whose source path or target/, 'NOT_FOUND', 'the slot holds no disk', { reason: 'no-disk' }],
  [/Secret not found|failed to get secret/, 'NOT_FOUND', 'libvirt has no such secret', { reason: 'no-secret' }],
];

/** A failed command with the code that tells most; what virsh has not said before stays INTERNAL, and so unknown (safety A1). */
export function mapLibvirtError(error: unknown): VbsError {
  if (!isVbsError(error)) return new VbsError('INTERNAL', String(error), { cause: error });
  if (error.code !== 'INTERNAL') return error;
  const told = typeof error.context.stderr === 'string' ? error.context.stderr : '';
  const found = meanings.find(([pattern]) => pattern.test(told));
  if (found === undefined) return error;
  const [, code, why, context] = found;
  const shown = told
    .trim()
    .replace(/^error: /gm, '')
    .replaceAll('\n', '; ')
    .slice(0, 300);
  return new VbsError(code, `libvirt: ${why} (${shown}).`, { context: { ...error.context, ...context }, cause: error });
}
