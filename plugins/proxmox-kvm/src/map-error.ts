import { type ErrorCode, type ErrorContext, VbsError } from '@vbs/core';

type Meaning = readonly [told: RegExp, code: ErrorCode, why: string, context?: ErrorContext];

const waysOut =
  'Proxmox VE lets only root@pam, by password and not by token, attach devices of the node: give api.ticket for root@pam, or leave api out and use qm on the node';

/**
 * What qm and the REST API (qemu-server 9.2, and 1 for what it says otherwise) say, first match first: neither exit codes nor
 * statuses tell it apart. A code that says that nothing changed is no proof: who changed something looks afterwards.
 */
const meanings: readonly Meaning[] = [
  [/Only root can pass arbitrary filesystem paths/, 'PERMISSION_DENIED', waysOut, { reason: 'only-root' }],
  [
    /a password is required|not allowed to execute|please run as root/,
    'PERMISSION_DENIED',
    'this user may not: run VBS as root, or put "sudo -n" in front of the commands',
  ],
  [/Permission check failed|only root can set/, 'PERMISSION_DENIED', 'this user may not'],
  [/[Cc]onfiguration file '.*' does not exist|unable to find configuration file for VM/, 'NOT_FOUND', 'this node has no such VM'],
  [
    /detected modified configuration|checksum missmatch|file changed? by other user/,
    'ABORTED',
    'somebody else has changed the VM meanwhile',
    { reason: 'changed-meanwhile' },
  ],
  [/VM is locked/, 'ABORTED', 'something else is done to the VM (a backup, a migration, a snapshot)', { reason: 'locked' }],
  [/can't lock file '.*' - got timeout/, 'ABORTED', 'something else changes the VM', { reason: 'locked' }],
  [/hostname lookup '.*' failed|no such cluster node/, 'FAILED_PRECONDITION', 'the cluster has no node of this name: see api.node'],
  [/cluster not ready - no quorum/, 'UNAVAILABLE', "the cluster has no quorum, and so nobody changes a VM's configuration"],
  [
    /hotplug problem - error on hot-unplugging device|still busy in guest/,
    'FAILED_PRECONDITION',
    'the guest has not let go of the disk',
    { reason: 'guest-busy' },
  ],
  [/can't unplug bootdisk/, 'FAILED_PRECONDITION', 'the VM boots from this disk', { reason: 'bootdisk' }],
  [/protection mode enabled/, 'FAILED_PRECONDITION', 'the VM is protected (qm set … --protection 0)', { reason: 'protected' }],
  [/volume '?\S+'? does not exist|Could not open '/, 'FAILED_PRECONDITION', 'the node has no such device', { reason: 'no-device' }],
  [/replicated VM/, 'FAILED_PRECONDITION', 'a replicated VM takes no devices of the node', { reason: 'replicated' }],
  [/hotplug problem - /, 'FAILED_PRECONDITION', 'the VM does not take the disk while it runs', { reason: 'not-plugged' }],
  [
    /Unknown option|unable to parse option|not enough arguments|too many arguments|no options specified|Parameter verification failed/,
    'INVALID_ARGUMENT',
    'Proxmox VE does not understand this',
    { field: 'commands' },
  ],
];

/** A failure with the code that tells most; undefined for what Proxmox VE has not said before, which is unknown (safety A1). */
export function mapText(text: string, context: ErrorContext, cause?: unknown): VbsError | undefined {
  const found = meanings.find(([told]) => told.test(text));
  if (found === undefined) return undefined;
  const [, code, why, more] = found;
  return new VbsError(code, `Proxmox VE: ${why} (${shortened(text)}).`, { context: { ...context, ...more }, cause });
}

export function shortened(text: string): string {
  return text
    .trim()
    .replaceAll(/\s*\n\s*/g, '; ')
    .slice(0, 300);
}
