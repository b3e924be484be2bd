import { type ErrorCode, type ErrorContext, isVbsError, VbsError } from '@vbs/core';

type Meaning = readonly [told: RegExp, code: ErrorCode, why: string, context?: ErrorContext];

const asRoot = 'this user may not: run VBS as root, or put "sudo -n" in front of the commands';

/**
 * What xl (libxl 4.17) and xm (xend 3.4) say, first match first: none of them has an exit code of its own for anything but wrong usage
 * and, with xm, an unknown domain. A code that says that nothing changed is no proof: attach and detach look afterwards.
 */
const meanings: readonly Meaning[] = [
  [/a password is required|not allowed to execute|Most commands need root access/, 'PERMISSION_DENIED', asRoot],
  [/(privileged command interface|cannot open libxc handle|xs_open|xs_domain_open): .*Permission denied/, 'PERMISSION_DENIED', asRoot],
  [/xs_directory \(.*\): Permission denied/, 'PERMISSION_DENIED', asRoot],
  [/xs_(open|domain_open|daemon_open): /, 'UNAVAILABLE', 'xenstored does not run, or this is no Dom0'],
  [/Unable to connect to xend/, 'UNAVAILABLE', 'xend does not run'],
  [/cannot init xl context|privileged command interface/, 'UNAVAILABLE', 'Xen does not run here, or this is no Dom0'],
  [
    /is an invalid domain identifier|Can't get domid of domain name|unable to get domain type for domid=|Domain '.*' does not exist/,
    'NOT_FOUND',
    'this node has no such VM',
  ],
  [/device already exists in xenstore|is already connected/, 'FAILED_PRECONDITION', 'the slot is taken', { reason: 'slot-taken' }],
  [/is mounted (read-write )?in a guest domain/, 'FAILED_PRECONDITION', 'another VM has this device', { reason: 'in-use' }],
  [/is mounted (read-write )?in the privileged domain/, 'FAILED_PRECONDITION', 'Dom0 itself has this device mounted', { reason: 'in-use' }],
  [
    /failed to stat: .*: No such file or directory|could not be connected\. \S+ does not exist/,
    'FAILED_PRECONDITION',
    'Dom0 has no such device',
    { reason: 'no-device' },
  ],
  [
    /Invalid or unsupported virtual disk identifier|Unable to find number for device/,
    'INVALID_ARGUMENT',
    'the tool does not know this slot',
    { field: 'device' },
  ],
  [/config parsing error in disk specification/, 'INVALID_ARGUMENT', 'the tool does not understand this disk', { field: 'source' }],
  [/does not exist \(no backend path|not connected/, 'NOT_FOUND', 'the slot holds no disk', { reason: 'no-disk' }],
  [
    /unable to remove device with path|libxl_device_disk_safe_remove failed|could not be disconnected/,
    'FAILED_PRECONDITION',
    'the guest has not let go of the disk',
    { reason: 'guest-busy' },
  ],
  [
    /killing execution of .* because of timeout|Hotplug scripts not working/,
    'DEADLINE_EXCEEDED',
    "the hotplug script has not ended (Dom0's log: /var/log/xen/xen-hotplug.log)",
  ],
];

/** A failed command with the code that tells most; what the tool has not said before stays INTERNAL, and so unknown (safety A1). */
export function mapXenError(error: unknown): VbsError {
  if (!isVbsError(error)) return new VbsError('INTERNAL', String(error), { cause: error });
  if (error.code !== 'INTERNAL') return error;
  const stderr = typeof error.context.stderr === 'string' ? error.context.stderr : '';
  const found = meanings.find(([told]) => told.test(stderr));
  if (found === undefined) return error;
  const [, code, why, context] = found;
  return new VbsError(code, `Xen: ${why} (${stderr.trim().replaceAll('\n', '; ').slice(0, 300)}).`, {
    context: { ...error.context, ...context },
    cause: error,
  });
}
