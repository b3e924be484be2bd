import type { ArgumentSpec, CommandSpec } from '../command-spec.js';
import { describe, describeOptions, given } from './describe.js';
import { operate, operateOptions } from './operate.js';
import { requireId } from './parse.js';
import { volumeArgument } from './volumes.js';

const snapshotArgument: ArgumentSpec = { name: 'snapshot-id', text: 'The snapshot: snap- and 17 hex digits.', completes: 'snapshots' };
const group = 'Snapshots';

const createSnapshot: CommandSpec = {
  name: 'create-snapshot',
  group,
  summary: 'Take a snapshot of a volume',
  description: [
    "Takes the volume's content at one instant between the call and its answer. A volume that is attached for writing is refused where its backend cannot take snapshots under writes; `vbs pools` shows which can (live-snapshot).",
    'The guest is not frozen: what it has not flushed is not in the snapshot, as after a power cut.',
  ],
  arguments: [
    volumeArgument,
    { name: 'comment', text: 'Kept with the snapshot; at most 1,024 bytes, no control characters.', optional: true },
  ],
  options: operateOptions,
  examples: [
    { line: "vbs create-snapshot vol-0123456789abcdef0 'before the upgrade'", text: 'The snapshot is completed when the command ends.' },
  ],
  seeAlso: ['describe-snapshots', 'create-volume', 'delete-snapshot'],
  run: async (invocation, context) => {
    const volumeId = requireId('volume', invocation.argument(0), 'volumeId');
    const request = { volumeId, ...given('comment', invocation.optional(1) || undefined) };
    return operate(invocation, context, 'createSnapshot', request, { kind: 'snapshots' });
  },
};

const deleteSnapshot: CommandSpec = {
  name: 'delete-snapshot',
  group,
  summary: 'Delete a snapshot',
  description: ['Deletes a snapshot for good. Volumes that were made from it stay. It is refused while a volume is being filled from it.'],
  arguments: [snapshotArgument],
  options: operateOptions,
  examples: [{ line: 'vbs delete-snapshot snap-0123456789abcdef0', text: 'Deletes it, and says so when it is gone.' }],
  seeAlso: ['describe-snapshots', 'create-snapshot'],
  run: async (invocation, context) => {
    const snapshotId = requireId('snapshot', invocation.argument(0), 'snapshotId');
    return operate(invocation, context, 'deleteSnapshot', { snapshotId }, { gone: snapshotId });
  },
};

const describeSnapshots: CommandSpec = {
  name: 'describe-snapshots',
  group,
  summary: 'List snapshots, or describe some',
  description: ['Lists snapshots, oldest first. With ids, exactly these, all of which must exist.'],
  arguments: [{ ...snapshotArgument, text: 'Only these snapshots.', optional: true, variadic: true }],
  options: describeOptions(['pending', 'completed', 'deleting', 'error']),
  examples: [{ line: 'vbs describe-snapshots --state completed', text: 'Those that a volume can be made from.' }],
  seeAlso: ['create-snapshot', 'describe-volumes'],
  run: (invocation, context) => describe(invocation, context, 'snapshots', { idKind: 'snapshot' }),
};

export const snapshotCommands: readonly CommandSpec[] = [createSnapshot, deleteSnapshot, describeSnapshots];
