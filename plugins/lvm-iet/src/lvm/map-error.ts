import { type ErrorCode, isVbsError, VbsError } from '@vbs/core';

/**
 * What the tools say (LVM 2.03, coreutils 9, util-linux 2.38), and what it means; LVM exits with 5 for every failure. Everything else
 * stays unknown (INTERNAL).
 */
const texts: readonly (readonly [pattern: RegExp, code: ErrorCode, why: string])[] = [
  [/Volume group "[^"]*" not found/, 'UNAVAILABLE', 'the volume group is not there: connect its devices, or look at physicalVolumes'],
  [
    /Permission denied|must be run as root|WARNING: Running as a non-root user/,
    'PERMISSION_DENIED',
    'this user may not do it: LVM wants root, see "Privileges" of the plugin\'s page',
  ],
  [
    /device-mapper (kernel )?driver|Can't process LV .* without/,
    'FAILED_PRECONDITION',
    "the kernel's device mapper, or a target of it, is not there: load dm_mod, dm_snapshot and dm_thin_pool",
  ],
  [
    /insufficient free space|[Ii]nsufficient (suitable )?(free|allocatable)|reached threshold|No space left on device|out of (data|metadata) space/,
    'RESOURCE_EXHAUSTED',
    'there is not enough room: delete volumes or snapshots, or extend the group or its pool',
  ],
  [/Pool \S+ not found in Volume group/, 'UNAVAILABLE', 'the thin pool is not there'],
  [/already exists in volume group/, 'ALREADY_EXISTS', 'a logical volume of this name exists'],
  [
    /Failed to find logical volume|Logical volume \S+ not found in volume group|Snapshot origin LV \S+ not found/,
    'NOT_FOUND',
    'there is no such logical volume',
  ],
  [
    /in use\.|contains a filesystem in use|used by another device|Device or resource busy/,
    'FAILED_PRECONDITION',
    'something holds it open',
  ],
  [
    /Snapshot origin volumes can be resized only while inactive/,
    'FAILED_PRECONDITION',
    'it has classic snapshots, and cannot grow while it is active: delete them first',
  ],
  [
    /PVs are missing|is missing PV|Cannot (change|process) .* (partial|while)/,
    'UNAVAILABLE',
    'devices of the volume group are missing: connect them',
  ],
  [/failed to open '[^']*': No such (file|device)/, 'UNAVAILABLE', 'its device is not there: activate it (vgchange -ay)'],
];

const notFoundExit = 127;
const notExecutableExit = 126;

/** A failed command with the code that tells most (safety A1: only what is known to have changed nothing gets a code that says so). */
export function mapLvmError(error: unknown): VbsError {
  if (!isVbsError(error)) return new VbsError('INTERNAL', String(error), { cause: error });
  if (error.code !== 'INTERNAL') return error;
  const { exitCode, stderr } = error.context;
  const told = typeof stderr === 'string' ? stderr : '';
  const mapped = (code: ErrorCode, why: string): VbsError =>
    new VbsError(code, `LVM: ${why} (${told.trim().slice(-300)}).`, { context: error.context, cause: error });
  if (exitCode === notFoundExit) return mapped('FAILED_PRECONDITION', 'a tool is not installed, or not in PATH: install lvm2');
  if (exitCode === notExecutableExit) return mapped('PERMISSION_DENIED', 'this user may not run the tool');
  // It broke off in the middle of a change of the kernel's devices: nothing is certain, whatever else it says.
  if (told.includes('Manual intervention required')) return error;
  // Warnings are about the whole group or pool, and not why this command failed, unless nothing else tells.
  const errors = told.replaceAll(/^\s*WARNING: .*$/gm, '');
  const found = texts.find(([pattern]) => pattern.test(errors)) ?? texts.find(([pattern]) => pattern.test(told));
  return found === undefined ? error : mapped(found[1], found[2]);
}

/** Codes that say that nothing has changed. */
const certain: ReadonlySet<ErrorCode> = new Set([
  'FAILED_PRECONDITION',
  'RESOURCE_EXHAUSTED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'OUT_OF_RANGE',
  'INVALID_ARGUMENT',
  'PERMISSION_DENIED',
]);

/** Acts after something has changed: what fails here must not be told as if nothing had (safety A1). */
export async function afterChange<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!isVbsError(error) || !certain.has(error.code)) throw error;
    const { resource, context } = error;
    throw new VbsError('UNAVAILABLE', `Begun, and not ended: ${error.message}`, {
      ...(resource === undefined ? {} : { resource }),
      context,
      cause: error,
    });
  }
}
